// @medplum/core: signs in with an assertion and names no scope, `If-None-Exist`, JSON Patch with a `test` on
// `/meta/versionId`, upsert by `PUT /T?query`, an Accept header of two, Bundles to the base with a trailing slash.

import { MedplumClient } from '@medplum/core';
import { assertion, BASE, declared, done, goal, patient, refused, same, step } from './exchange.mjs';

const MINE = 'https://clients.example/medplum';
const addresses = { baseUrl: BASE, fhirUrlPath: 'fhir', tokenUrl: 'auth/token' };
const client = new MedplumClient({ ...addresses, cacheTime: 0 });

await step('signs in with ES384', async () => {
    await client.startJwtAssertionLogin(assertion('medplum', 'ES384'));
    if (!client.getAccessToken()) throw new Error('no access token');
});

await step('signs in knowing its client id, which it compares with the `client_id` of the token', async () => {
    const knowing = new MedplumClient({ ...addresses, clientId: 'medplum' });
    await knowing.startJwtAssertionLogin(assertion('medplum', 'RS384'));
});

let person;
await step('creates', async () => {
    person = await client.createResource(patient('medplum', 1, 'Moreau'));
    same(person.meta.versionId, '1');
});

await step('creates if there is none: the same one comes back', async () => {
    const again = await client.createResourceIfNoneExist(patient('medplum', 1, 'Moreau'), `identifier=${MINE}|1`);
    same(again.id, person.id);
});

await step('reads, and reads by reference', async () => {
    same(await client.readResource('Patient', person.id), person);
    same((await client.readReference({ reference: `Patient/${person.id}` })).id, person.id);
});

await step('updates', async () => {
    person = await client.updateResource({ ...person, active: true });
    same([person.active, person.meta.versionId], [true, '2']);
});

await step('patches with a test on the version', async () => {
    const patch = [
        { op: 'test', path: '/meta/versionId', value: '2' },
        { op: 'replace', path: '/gender', value: 'other' },
    ];
    const patched = await client.patchResource('Patient', person.id, patch);
    same([patched.gender, patched.meta.versionId], ['other', '3']);
    const { outcome } = await refused(() => client.patchResource('Patient', person.id, patch));
    same(outcome.resourceType, 'OperationOutcome');
});

await step('upserts: makes it, then changes it', async () => {
    const made = await client.upsertResource(patient('medplum', 2, 'Novak'), `identifier=${MINE}|2`);
    same(made.meta.versionId, '1');
    const again = await client.upsertResource({ ...patient('medplum', 2, 'Novak'), active: true }, `identifier=${MINE}|2`);
    same([again.id, again.active, again.meta.versionId], [made.id, true, '2']);
});

await step('searches', async () => {
    same((await client.search('Patient', { identifier: `${MINE}|`, _total: 'accurate' })).total, 2);
    same((await client.searchOne('Patient', `identifier=${MINE}|1`)).id, person.id);
    same((await client.searchResources('Patient', { identifier: `${MINE}|`, 'family:contains': 'OVA' })).length, 1);
});

await step('pages through all', async () => {
    for (let n = 0; n < 7; n += 1) await client.createResource(goal(person.id, `goal ${n}`));
    const pages = [];
    const search = { patient: person.id, _count: '3', _sort: '_lastUpdated' };
    for await (const page of client.searchResourcePages('Goal', search)) pages.push(page.map((each) => each.description.text));
    same(pages.map((page) => page.length), [3, 3, 1]);
    same(pages.flat(), [0, 1, 2, 3, 4, 5, 6].map((n) => `goal ${n}`));
});

await step('reads the history and a version', async () => {
    const history = await client.readHistory('Patient', person.id);
    same(history.entry.map((entry) => entry.resource.meta.versionId), ['3', '2', '1']);
    same((await client.readVersion('Patient', person.id, '1')).gender, 'female');
});

await step('sends a transaction to the base with a slash', async () => {
    const entry = [
        {
            fullUrl: 'urn:uuid:9d3e2a44-03f6-4f0f-9d0e-5a4b6f6f0c01',
            resource: goal(person.id, 'in a transaction'),
            request: { method: 'POST', url: 'Goal' },
        },
    ];
    const answer = await client.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry });
    same([answer.type, answer.entry[0].response.status.slice(0, 3)], ['transaction-response', '201']);
});

await step('gathers its reads in a batch by itself', async () => {
    const gathering = new MedplumClient({ ...addresses, cacheTime: 0, autoBatchTime: 50 });
    gathering.setAccessToken(client.getAccessToken());
    const reads = [gathering.readResource('Patient', person.id), gathering.searchOne('Patient', `identifier=${MINE}|2`)];
    same((await Promise.all(reads)).map((each) => each.name[0].family), ['Moreau', 'Novak']);
});

await step('validates', async () => {
    const outcome = await client.validateResource({ ...patient('medplum', 9, 'Wrong'), gender: 'not-a-gender' });
    same(outcome.issue.find((issue) => issue.severity === 'error').expression, ['Patient.gender']);
});

await step('reads everything about a person', async () => {
    const everything = await client.readPatientEverything(person.id);
    same(everything.entry.filter((each) => each.resource.resourceType === 'Goal').length, 8);
});

await step('is told what is wrong with a create, as an OperationOutcome that it reads', async () => {
    const { outcome } = await refused(() => client.createResource({ resourceType: 'Patient', gender: 'not-a-gender' }));
    same(outcome.issue[0].expression, ['Patient.gender']);
});

await step('exports in bulk: kicks off by POST, polls, and reads the manifest', async () => {
    await declared('export');
    const polls = { pollStatusOnAccepted: true, pollStatusPeriod: 500 };
    const manifest = await client.bulkExport('', 'Patient,Goal', undefined, polls);
    same(manifest.output.map((each) => each.type).sort(), ['Goal', 'Patient']);
});

await step('deletes, and finds it gone', async () => {
    const one = await client.createResource(goal(person.id, 'to be deleted'));
    await client.deleteResource('Goal', one.id);
    const { outcome } = await refused(() => client.readResource('Goal', one.id));
    same(outcome.resourceType, 'OperationOutcome');
});

done();
