// What the Node clients share: where the exchange is, how one signs in, and how a step is told.
//
// A step that fails is told with what the client saw, and the next ones go on: one run shows all that is wrong. What
// the server does not declare is skipped, and said to be.

import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const BASE = process.env.HANDOFF_BASE;
export const FHIR = `${BASE}/fhir`;

const client = process.env.HANDOFF_CLIENT;
let failed = 0;

class Skipped extends Error {}

export async function step(says, deed) {
    try {
        await deed();
        console.log(`ok ${client}: ${says}`);
    } catch (error) {
        if (error instanceof Skipped) {
            console.log(`SKIPPED ${client}: ${says}: ${error.message}`);
            return;
        }
        failed += 1;
        console.log(`FAILED ${client}: ${says}: ${told(error)}`);
    }
}

export function done() {
    process.exit(failed ? 1 : 0);
}

// The error, where it was raised in our script, and what the server answered if the library kept it.
function told(error) {
    const line = /with-[a-z-]+\.mjs:\d+/.exec(error.stack ?? '')?.[0] ?? '?';
    const seen = error.response?.data ?? error.outcome;
    return `${error.message.split('\n')[0]} at ${line}${seen ? ` [${JSON.stringify(seen).slice(0, 1500)}]` : ''}`;
}

// As `assert.equal`, in one line.
export function same(found, expected) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    if (a !== b) throw new Error(`expected ${b}, found ${a}`);
}

// Runs what must be refused, and answers with the refusal.
export async function refused(deed) {
    let answer;
    try {
        answer = await deed();
    } catch (error) {
        return error;
    }
    throw new Error(`expected a refusal, found ${JSON.stringify(answer).slice(0, 500)}`);
}

// Skips the step when the server does not declare the operation at system level.
export async function declared(name) {
    const statement = await (await fetch(`${FHIR}/metadata`)).json();
    if (!statement.rest[0].operation?.some((each) => each.name === name)) {
        throw new Skipped(`/fhir/metadata declares no \`${name}\` at system level, SO IT WAS NOT TRIED`);
    }
}

const base64url = (value) => Buffer.from(value).toString('base64url');

// A client assertion (SMART App Launch 2.2, client-confidential-asymmetric).
export function assertion(id, alg, audience = `${BASE}/auth/token`) {
    const file = readFileSync(`${process.env.HANDOFF_KEYS}/${alg.toLowerCase()}.jwks`);
    const jwk = JSON.parse(file).keys[0];
    const exp = Math.floor(Date.now() / 1000) + 240;
    const claims = { iss: id, sub: id, aud: audience, exp, jti: randomUUID() };
    const signed = [{ alg, kid: jwk.kid, typ: 'JWT' }, claims].map((part) => base64url(JSON.stringify(part))).join('.');
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    return `${signed}.${base64url(sign('sha384', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }))}`;
}

// Signs in as a backend service, for libraries that leave it to the program that uses them.
export async function token(id, alg, endpoint = `${BASE}/auth/token`) {
    const form = new URLSearchParams({
        grant_type: 'client_credentials',
        scope: 'system/*.cruds',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion(id, alg, endpoint),
    });
    const answer = await fetch(endpoint, { method: 'POST', body: form });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()).access_token;
}

export function patient(client, number, family) {
    return {
        resourceType: 'Patient',
        identifier: [{ system: `https://clients.example/${client}`, value: String(number) }],
        name: [{ family, given: ['Ines'] }],
        gender: 'female',
        birthDate: '1980-05-17',
    };
}

export function goal(person, text) {
    return {
        resourceType: 'Goal',
        lifecycleStatus: 'active',
        description: { text },
        subject: { reference: person.startsWith('urn:') ? person : `Patient/${person}` },
    };
}
