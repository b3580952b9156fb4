// fhirclient, the SMART project's JavaScript library, as on a server: `Accept: application/json`, a patch with a
// charset and `Prefer: return=presentation`, absolute page links, references mounted in place, and searches about
// one person by the parameter that the CapabilityStatement names.

import FHIR from 'fhirclient';
import { done, FHIR as serverUrl, goal, patient, refused, same, step, token } from './exchange.mjs';

const MINE = 'https://clients.example/fhirclient-js';
const smart = FHIR({ session: {}, headers: {} }, {}, {});

let client = smart.client({ serverUrl });
await step('learns the release from the CapabilityStatement', async () => {
    same(await client.getFhirRelease(), 4);
});

await step('is told 401 before it has signed in', async () => {
    same((await refused(() => client.request('Patient/none'))).status, 401);
});

await step('works with a token got with ES384', async () => {
    client = smart.client({ serverUrl, tokenResponse: { access_token: await token('fhirclient-js', 'ES384') } });
});

// Only `request` adds the token; the deeds (`create` and so on) take it as a header.
const signed = () => ({ headers: { authorization: client.getAuthorizationHeader() } });

let person;
await step('creates', async () => {
    person = await client.create(patient('fhirclient-js', 1, 'Okafor'), signed());
    same(person.meta.versionId, '1');
});

await step('creates with an empty answer, and follows Location', async () => {
    const { headers } = signed();
    const options = { headers: { ...headers, Prefer: 'return=minimal' } };
    same((await client.create(patient('fhirclient-js', 2, 'Petrov'), options)).name[0].family, 'Petrov');
});

await step('reads', async () => {
    same((await client.request(`Patient/${person.id}`)).id, person.id);
});

await step('updates', async () => {
    person = await client.update({ ...person, active: true }, signed());
    same([person.active, person.meta.versionId], [true, '2']);
});

await step('patches with a charset and an unheard-of Prefer', async () => {
    const patched = await client.patch(`Patient/${person.id}`, [{ op: 'replace', path: '/gender', value: 'other' }], signed());
    same([patched.gender, patched.meta.versionId], ['other', '3']);
});

await step('pages: as pages, as resources and all at once', async () => {
    for (let n = 0; n < 7; n += 1) await client.create(goal(person.id, `goal ${n}`), signed());
    const url = `Goal?patient=${person.id}&_count=3&_sort=_lastUpdated`;
    const expected = [0, 1, 2, 3, 4, 5, 6].map((n) => `goal ${n}`);
    const all = await client.request(url, { pageLimit: 0, flat: true });
    same(all.map((each) => each.description.text), expected);
    const sizes = [];
    for await (const page of client.pages(url, signed())) sizes.push(page.entry.length);
    same(sizes, [3, 3, 1]);
    const texts = [];
    for await (const each of client.resources(url, signed())) texts.push(each.description.text);
    same(texts, expected);
});

await step('mounts references in place', async () => {
    const one = await client.request(`Goal?patient=${person.id}&_count=1`, { flat: true, resolveReferences: ['subject'] });
    same(one[0].subject.name[0].family, 'Okafor');
});

await step('asks about its one person by the parameter that is declared', async () => {
    const about = smart.client({ serverUrl, tokenResponse: { ...client.state.tokenResponse, patient: person.id } });
    same((await about.patient.read()).id, person.id);
    same((await about.patient.request('Goal', { pageLimit: 0, flat: true })).length, 7);
});

await step('searches', async () => {
    const found = await client.request(`Patient?identifier=${encodeURIComponent(`${MINE}|`)}&family:exact=Petrov`, { flat: true });
    same(found.length, 1);
});

await step('is told what is wrong with a create', async () => {
    const error = await refused(() => client.create({ resourceType: 'Patient', gender: 'not-a-gender' }, signed()));
    if (!error.message.includes('gender')) throw new Error(`the message does not name the element: ${error.message}`);
});

await step('deletes, and finds it gone', async () => {
    const one = await client.create(goal(person.id, 'to be deleted'), signed());
    await client.delete(`Goal/${one.id}`, signed());
    same((await refused(() => client.request(`Goal/${one.id}`))).status, 410);
});

done();
