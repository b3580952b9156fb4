// fhir-kit-client: finds the token endpoint itself, sends Bundles to the base with a trailing slash, searches by
// POST, patches with JSON Patch, pages back as well as on.

import { Client } from 'fhir-kit-client';
import { done, FHIR, goal, patient, refused, same, step, token } from './exchange.mjs';

const MINE = 'https://clients.example/fhir-kit-client';
const client = new Client({ baseUrl: FHIR });
const resourceType = 'Patient';

await step('reads the CapabilityStatement', async () => {
    same((await client.capabilityStatement()).fhirVersion, '4.0.1');
});

await step('finds the token endpoint and signs in with RS384', async () => {
    const { tokenUrl } = await client.smartAuthMetadata();
    client.bearerToken = await token('fhir-kit-client', 'RS384', tokenUrl.href);
});

let person;
await step('creates: 201 with Location, ETag and the resource', async () => {
    person = await client.create({ resourceType, body: patient('fhir-kit-client', 1, 'Jansen') });
    const { response } = Client.httpFor(person);
    same(response.status, 201);
    same(response.headers.get('location'), `${FHIR}/Patient/${person.id}/_history/1`);
    same(response.headers.get('etag'), 'W/"1"');
});

await step('creates conditionally: 200 with the one that exists', async () => {
    const options = { headers: { 'If-None-Exist': `identifier=${MINE}|1` } };
    const found = await client.create({ resourceType, body: patient('fhir-kit-client', 1, 'Jansen'), options });
    same([Client.httpFor(found).response.status, found.id], [200, person.id]);
});

await step('reads', async () => {
    same(await client.read({ resourceType, id: person.id }), person);
});

await step('updates with If-Match, and is told 412 when it is late', async () => {
    const options = { headers: { 'If-Match': 'W/"1"' } };
    const body = { ...person, active: true };
    same((await client.update({ resourceType, id: person.id, body, options })).meta.versionId, '2');
    same((await refused(() => client.update({ resourceType, id: person.id, body, options }))).response.status, 412);
});

await step('updates conditionally by query', async () => {
    const body = patient('fhir-kit-client', 2, 'Kowalski');
    const searchParams = { identifier: `${MINE}|2` };
    const made = await client.update({ resourceType, searchParams, body });
    same([Client.httpFor(made).response.status, made.meta.versionId], [201, '1']);
    const again = await client.update({ resourceType, searchParams, body: { ...body, active: false } });
    same([Client.httpFor(again).response.status, again.id, again.meta.versionId], [200, made.id, '2']);
});

await step('patches with JSON Patch', async () => {
    const jsonPatch = [
        { op: 'test', path: '/active', value: true },
        { op: 'replace', path: '/gender', value: 'other' },
        { op: 'add', path: '/name/0/given/-', value: 'Maria' },
    ];
    const patched = await client.patch({ resourceType, id: person.id, jsonPatch });
    same([patched.gender, patched.name[0].given], ['other', ['Ines', 'Maria']]);
});

await step('is told why a patch cannot be applied, and nothing changes', async () => {
    const jsonPatch = [{ op: 'replace', path: '/gender', value: 'male' }, { op: 'test', path: '/active', value: false }];
    const error = await refused(() => client.patch({ resourceType, id: person.id, jsonPatch }));
    same([error.response.status, error.response.data.resourceType], [422, 'OperationOutcome']);
    same((await client.read({ resourceType, id: person.id })).gender, 'other');
});

await step('reads a version', async () => {
    same((await client.vread({ resourceType, id: person.id, version: '1' })).gender, 'female');
});

await step('reads the history of an instance', async () => {
    const history = await client.history({ resourceType, id: person.id });
    same(history.entry.map((entry) => entry.resource.meta.versionId), ['3', '2', '1']);
});

await step('reads the histories of a type and of the system', async () => {
    same((await client.history({ resourceType })).type, 'history');
    same((await client.history()).type, 'history');
});

await step('sends a transaction to the base with a slash; urn:uuid is resolved', async () => {
    const uuid = (n) => `urn:uuid:5d0a1c35-67f5-4c2f-8f43-0d8f2f1b7a0${n}`;
    const entry = [
        { fullUrl: uuid(1), resource: goal(uuid(2), 'of the new one'), request: { method: 'POST', url: 'Goal' } },
        { fullUrl: uuid(2), resource: patient('fhir-kit-client', 3, 'Lopez'), request: { method: 'POST', url: 'Patient' } },
    ];
    const answer = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } });
    same(answer.entry.map((each) => each.response.status.slice(0, 3)), ['201', '201']);
    const made = await client.request(answer.entry[0].response.location);
    const resolved = await client.resolve({ reference: made.subject.reference, context: made });
    same(resolved.name[0].family, 'Lopez');
});

await step('sends a batch to the base with a slash: each entry has its own outcome', async () => {
    const request = (url) => ({ request: { method: 'GET', url } });
    const entry = [request(`Patient/${person.id}`), request('Patient/nobody'), request(`Patient?_id=${person.id}`)];
    const answer = await client.batch({ body: { resourceType: 'Bundle', type: 'batch', entry } });
    same(answer.entry.map((each) => each.response.status.slice(0, 3)), ['200', '404', '200']);
});

await step('searches by GET and by POST, with lists and repeats', async () => {
    const searchParams = { identifier: `${MINE}|1,${MINE}|2`, birthdate: ['ge1980-01-01', 'lt1981'] };
    const found = await client.search({ resourceType, searchParams });
    same(found.entry.length, 2);
    const posted = await client.search({ resourceType, searchParams, options: { postSearch: true } });
    same(posted.entry.map((each) => each.resource.id).sort(), found.entry.map((each) => each.resource.id).sort());
});

await step('pages on and back', async () => {
    for (let n = 0; n < 7; n += 1) await client.create({ resourceType: 'Goal', body: goal(person.id, `goal ${n}`) });
    const searchParams = { patient: person.id, _count: 3, _sort: '_lastUpdated' };
    const first = await client.search({ resourceType: 'Goal', searchParams });
    const second = await client.nextPage({ bundle: first });
    const third = await client.nextPage({ bundle: second });
    const texts = [first, second, third].flatMap((page) => page.entry.map((each) => each.resource.description.text));
    same(texts, [0, 1, 2, 3, 4, 5, 6].map((n) => `goal ${n}`));
    same(client.nextPage({ bundle: third }), undefined);
    const back = client.prevPage({ bundle: second });
    if (back) same((await back).entry.map((each) => each.resource.id), first.entry.map((each) => each.resource.id));
});

await step('searches a compartment, by GET and by POST', async () => {
    const of = { resourceType: 'Goal', compartment: { resourceType, id: person.id } };
    same((await client.search({ ...of, searchParams: { _total: 'accurate' } })).total, 7);
    const posted = { searchParams: { _total: 'accurate' }, options: { postSearch: true } };
    same((await client.search({ ...of, ...posted })).total, 7);
});

await step('searches all types at the base, by GET and by POST', async () => {
    const searchParams = { _type: 'Patient,Goal', _id: person.id };
    same((await client.search({ searchParams })).entry.length, 1);
    same((await client.search({ searchParams, options: { postSearch: true } })).entry.length, 1);
});

await step('validates', async () => {
    const input = { ...patient('fhir-kit-client', 9, 'Wrong'), gender: 'not-a-gender' };
    const outcome = await client.operation({ name: 'validate', resourceType, input });
    same(outcome.issue.find((issue) => issue.severity === 'error').expression, ['Patient.gender']);
});

await step('gets everything about a person, and the labels of one resource', async () => {
    const everything = await client.operation({ name: '$everything', resourceType, id: person.id, method: 'GET' });
    same(everything.entry.filter((each) => each.resource.resourceType === 'Goal').length, 7);
    const meta = await client.operation({ name: 'meta', resourceType, id: person.id, method: 'GET' });
    same(meta.resourceType, 'Parameters');
});

await step('is told what is wrong with a create, all at once', async () => {
    const body = { resourceType, gender: 'not-a-gender', birthDate: 'yesterday' };
    const { response } = await refused(() => client.create({ resourceType, body }));
    same(response.data.issue.flatMap((issue) => issue.expression ?? []).sort(), ['Patient.birthDate', 'Patient.gender']);
});

await step('deletes, and finds it gone', async () => {
    const one = await client.create({ resourceType: 'Goal', body: goal(person.id, 'to be deleted') });
    await client.delete({ resourceType: 'Goal', id: one.id });
    const error = await refused(() => client.read({ resourceType: 'Goal', id: one.id }));
    same([error.response.status, error.response.data.resourceType], [410, 'OperationOutcome']);
});

done();
