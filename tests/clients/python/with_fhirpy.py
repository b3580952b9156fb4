"""fhirpy: `application/json` on writes, PATCH with it as a merge patch, a bare `If-None-Match`, `_totalMethod`,
conditional interactions by query."""

import asyncio

import aiohttp
from exchange import BASE, FHIR, assertion, done, goal, patient, step
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

MINE = "https://clients.example/fhirpy"


async def token():
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.cruds",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion("fhirpy", "RS384"),
    }
    async with aiohttp.ClientSession() as session, session.post(f"{BASE}/auth/token", data=form) as answer:
        answer.raise_for_status()
        return (await answer.json())["access_token"]


async def main():
    authorization = None
    with step("signs in with RS384"):
        authorization = f"Bearer {await token()}"
    client = AsyncFHIRClient(FHIR, authorization=authorization)

    with step("reads the CapabilityStatement"):
        statement = await client.execute("metadata", method="get")
        assert statement.resourceType == "CapabilityStatement"

    person = client.resource("Patient", **patient("fhirpy", 1, "Ferro"))
    with step("creates, and takes over what was answered"):
        await person.save()
        assert person["id"] and person["meta"]["versionId"] == "1", person

    with step("reads by reference"):
        read = await client.reference("Patient", person["id"]).to_resource()
        assert read.serialize() == person.serialize()

    with step("refreshes what has not changed with 304"):
        person["name"][0]["family"] = "changed-here-only"
        await person.refresh()
        assert person["name"][0]["family"] == "changed-here-only", "200 instead of 304"
        person["name"][0]["family"] = "Ferro"

    with step("updates"):
        person["telecom"] = [{"system": "phone", "value": "555-0100"}]
        await person.save()
        assert person["meta"]["versionId"] == "2"

    with step("refreshes what has changed"):
        read["gender"] = "unknown"
        await read.refresh()
        assert read["meta"]["versionId"] == "2" and read["gender"] == "female"

    with step("patches with a merge patch"):
        await person.patch(active=False, birthDate="1981-05-17")
        assert person["active"] is False and person["birthDate"] == "1981-05-17" and person["telecom"]

    with step("takes an element away with a merge patch"):
        patched = await client.patch("Patient", person["id"], telecom=None)
        assert "telecom" not in patched and patched["active"] is False, patched

    with step("saves some fields alone"):
        person["gender"] = "other"
        person["birthDate"] = "1900-01-01"
        await person.save(fields=["gender"])
        assert person["gender"] == "other" and person["birthDate"] == "1981-05-17"

    people = client.resources("Patient")
    with step("creates conditionally: 201, then 200 with the one that exists"):
        second = people.search(identifier=f"{MINE}|2")
        made, created = await second.get_or_create(client.resource("Patient", **patient("fhirpy", 2, "Gallo")))
        again, once_more = await second.get_or_create(client.resource("Patient", **patient("fhirpy", 2, "Gallo")))
        assert (created, once_more) == (True, False) and made["id"] == again["id"]

    with step("updates conditionally: 200, and 201 for what was not there"):
        other, created = await second.update(client.resource("Patient", **patient("fhirpy", 2, "Gallo-Neri")))
        assert not created and other["id"] == made["id"] and other["meta"]["versionId"] == "2"
        third, created = await people.search(identifier=f"{MINE}|3").update(
            client.resource("Patient", **patient("fhirpy", 3, "Hassan"))
        )
        assert created and third["meta"]["versionId"] == "1"

    with step("patches conditionally"):
        patched = await second.patch(active=True)
        assert patched["id"] == made["id"] and patched["active"] is True

    with step("is told with 412 that a condition fits several"):
        try:
            await people.search(identifier=f"{MINE}|").patch(active=True)
            raise AssertionError("patched one of several")
        except MultipleResourcesFound:
            pass

    with step("counts with _count=0"):
        assert await people.search(identifier=f"{MINE}|").count() == 3

    with step("gets the one that a search finds"):
        assert (await second.get())["id"] == made["id"]

    with step("searches with modifiers, prefixes, lists and _sort"):
        found = await people.search(
            identifier=f"{MINE}|", family__contains="all", birthdate__ge="1980-01-01", gender="female,male"
        ).sort("-_lastUpdated").fetch()
        assert [each["id"] for each in found] == [made["id"]], found

    with step("pages through all"):
        for number in range(7):
            await client.resource("Goal", **goal(person["id"], f"goal {number}")).save()
        goals = client.resources("Goal").search(patient=person["id"]).sort("_lastUpdated")
        texts = [each["description"]["text"] for each in await goals.limit(3).fetch_all()]
        assert texts == [f"goal {number}" for number in range(7)], texts

    with step("includes, reverse-includes, chains and _has"):
        raw = await client.resources("Goal").search(patient__Patient__family="Ferro").include("Goal", "patient").fetch_raw()
        assert {each.resource.resource_type for each in raw.entry} == {"Goal", "Patient"}
        raw = await people.search(_id=person["id"]).revinclude("Goal", "patient").fetch_raw()
        assert len(raw.entry) == 8
        having = await people.has("Goal", "patient", lifecycle_status="active").search(identifier=f"{MINE}|").fetch()
        assert [each["id"] for each in having] == [person["id"]]

    with step("sends a transaction to the base"):
        entry = {
            "fullUrl": "urn:uuid:3a3c7d3e-5b0e-4a59-9b2c-2f6f6d5a8a01",
            "resource": goal(person["id"], "in a transaction"),
            "request": {"method": "POST", "url": "Goal"},
        }
        bundle = client.resource("Bundle", type="transaction", entry=[entry])
        answer = await client.execute("", data=bundle.serialize())
        assert answer.type == "transaction-response" and answer.entry[0].response.status.startswith("201")

    with step("validates"):
        assert await client.resource("Patient", **patient("fhirpy", 9, "Valid")).is_valid()
        assert not await client.resource("Patient", gender="not-a-gender").is_valid()

    with step("is told what is wrong with a create"):
        try:
            await client.resource("Patient", gender="not-a-gender", birthDate="yesterday").save()
            raise AssertionError("stored what is not valid")
        except OperationOutcome as outcome:
            told = {place for issue in outcome.resource["issue"] for place in issue.get("expression", [])}
            assert told == {"Patient.gender", "Patient.birthDate"}, outcome.resource

    with step("deletes, and finds it gone"):
        await third.delete()
        try:
            await third.refresh()
            raise AssertionError("read what was deleted")
        except ResourceNotFound:
            pass

    with step("deletes conditionally"):
        _, status = await people.search(identifier=f"{MINE}|2").delete()
        assert status in (200, 204), status
        assert await people.search(identifier=f"{MINE}|2").count() == 0

    with step("does the same with its synchronous client"):
        sync = SyncFHIRClient(FHIR, authorization=authorization)
        note = sync.resource("Goal", **goal(person["id"], "synchronous"))
        note.save()
        note.patch(description={"text": "patched"})
        note.refresh()
        assert note["description"]["text"] == "patched"
        assert len(sync.resources("Goal").search(patient=person["id"]).limit(4).fetch_all()) == 9
        note.delete()


asyncio.run(main())
done()
