"""fhirclient, the SMART project's Python library: signs in with an assertion of ours, and parses every answer with
models that take nothing unknown, nothing missing and nothing of a wrong type. So it is a check of what we answer."""

import importlib
import json

from exchange import FHIR, FIXTURES, KEYS, MRN, assertion, done, goal, patient, step
from fhirclient.client import FHIRClient
from fhirclient.models import bundle, capabilitystatement, operationoutcome
from fhirclient.models import goal as goals
from fhirclient.models import group as groups
from fhirclient.models import patient as patients
from fhirclient.server import FHIRNotFoundException, FHIRUnauthorizedException
from requests.exceptions import HTTPError

MINE = "https://clients.example/fhirclient"
PEOPLE = ",".join(f"{MRN[0]}|{value}" for value in MRN[1])

settings = {
    "app_id": "fhirclient",
    "api_base": FHIR,
    "jwt_token": assertion("fhirclient", "ES384"),
    "scope": "system/*.cruds system/AuditEvent.rs",
}
client = FHIRClient(settings=settings)
server = client.server


def outcome(error):
    """Every error is an OperationOutcome that parses."""
    parsed = operationoutcome.OperationOutcome(error.response.json())
    assert parsed.issue and all(issue.diagnostics or issue.details for issue in parsed.issue)
    return parsed


with step("reads the CapabilityStatement strictly"):
    assert isinstance(server.capabilityStatement, capabilitystatement.CapabilityStatement)
    assert server.capabilityStatement.fhirVersion == "4.0.1"

with step("is told 401 with an OperationOutcome before it has signed in"):
    try:
        patients.Patient.read("none", server)
        raise AssertionError("read without a token")
    except FHIRUnauthorizedException as error:
        outcome(error)

with step("finds the token endpoint in the CapabilityStatement and signs in with ES384"):
    client.wants_patient = False
    client.prepare()
    client.authorize()
    assert client.ready

with step("signs in as it does by default, with `launch/patient` among the scopes"):
    default = FHIRClient(settings={**settings, "jwt_token": assertion("fhirclient", "RS384")})
    default.prepare()
    default.authorize()
    assert default.ready

person = None
with step("creates, and parses the answer strictly"):
    made = patients.Patient(patient("fhirclient", 1, "Ito")).create(server)
    person = patients.Patient(made)
    assert person.meta.versionId == "1" and person.meta.lastUpdated

with step("reads"):
    person = patients.Patient.read(person.id, server)
    assert person.name[0].family == "Ito"

with step("updates"):
    person.active = True
    person = patients.Patient(person.update(server))
    assert person.active and person.meta.versionId == "2"

with step("searches and pages, each page parsed strictly"):
    for number in range(7):
        goals.Goal(goal(person.id, f"goal {number}")).create(server)
    search = goals.Goal.where({"patient": person.id, "_count": "3", "_sort": "_lastUpdated"})
    pages = list(search.perform_iter(server))
    assert [len(page.entry) for page in pages] == [3, 3, 1]
    assert [entry.resource.description.text for page in pages for entry in page.entry] == [
        f"goal {number}" for number in range(7)
    ]

with step("searches with its own structures"):
    # Not its `$gte`: it writes `>=`, which was FHIR before there was a release.
    found = patients.Patient.where({"identifier": f"{MINE}|1", "name": {"$exact": "Ito"}, "birthdate": "ge1980-01-01"})
    assert [each.id for each in found.perform_resources_iter(server)] == [person.id]

with step("includes and reverse-includes"):
    search = goals.Goal.where({"patient": person.id}).include("subject")
    kinds = {each.resource_type for each in search.perform_resources_iter(server)}
    assert kinds == {"Goal", "Patient"}, kinds
    search = patients.Patient.where({"_id": person.id}).include("subject", goals.Goal, reverse=True)
    assert len(list(search.perform_resources_iter(server))) == 8

with step("parses a search that finds nothing, and one with a warning"):
    assert not bundle.Bundle.read_from("Goal?patient=nobody", server).entry
    warned = bundle.Bundle.read_from("Goal?unheard-of=1&_count=1", server)
    assert any(entry.search.mode == "outcome" for entry in warned.entry), warned.as_json()

with step("parses the history of an instance strictly"):
    history = bundle.Bundle.read_from(f"Patient/{person.id}/_history", server)
    assert history.type == "history" and len(history.entry) == 2
    assert all(entry.request and entry.response for entry in history.entry)

with step("parses the histories of a type and of the system strictly"):
    assert bundle.Bundle.read_from("Patient/_history?_count=5", server).entry
    assert bundle.Bundle.read_from("_history?_count=5", server).entry

with step("sends transactions, and parses the answers strictly"):
    for name in ("ana", "ben", "carla"):
        text = (FIXTURES / f"{name}.json").read_text()
        answer = bundle.Bundle(bundle.Bundle(json.loads(text)).create(server))
        assert answer.type == "transaction-response"
        assert all(entry.response.status.startswith("201") for entry in answer.entry)

with step("makes a Group of the people in them, for others to export"):
    members = [
        {"entity": {"reference": f"Patient/{found.id}"}}
        for found in patients.Patient.where({"identifier": PEOPLE}).perform_resources_iter(server)
    ]
    assert len(members) == 3, members
    group = {"resourceType": "Group", "type": "person", "actual": True, "member": members}
    (KEYS / "group-id").write_text(groups.Group(groups.Group(group).create(server)).id)

with step("sends a batch of reads, one of which fails"):
    entries = [{"request": {"method": "GET", "url": url}} for url in (f"Patient/{person.id}", "Patient/nobody")]
    batch = bundle.Bundle({"resourceType": "Bundle", "type": "batch", "entry": entries})
    answer = bundle.Bundle(batch.create(server))
    assert [entry.response.status[:3] for entry in answer.entry] == ["200", "404"]
    assert answer.entry[1].response.outcome.resource_type == "OperationOutcome"

kinds = []
with step("lists the types that the CapabilityStatement declares, of which some have operations alone"):
    searched = lambda each: any(one.code == "search-type" for one in each.interaction or [])
    kinds = [each.type for each in server.capabilityStatement.rest[0].resource if searched(each)]
    assert len(kinds) >= 30, kinds

with step("parses a search of every type strictly"):
    seen = 0
    for kind in kinds:
        importlib.import_module(f"fhirclient.models.{kind.lower()}")
        try:
            seen += len(bundle.Bundle.read_from(f"{kind}?_count=20", server).entry or [])
        except Exception as error:
            raise AssertionError(f"{kind}: {type(error).__name__}: {error}") from error
    assert seen > 30, seen

with step("parses everything about a person strictly"):
    everything = bundle.Bundle.read_from(f"Patient/{person.id}/$everything", server)
    assert len(everything.entry) >= 8

with step("is told what is wrong with a create"):
    wrong = {**patient("fhirclient", 2, "Ito"), "gender": "not-a-gender"}
    try:
        server.post_json("Patient", wrong)
        raise AssertionError("stored what is not valid")
    except HTTPError as error:
        assert error.response.status_code in (400, 422)
        assert outcome(error).issue[0].expression == ["Patient.gender"]

with step("deletes, and finds it gone"):
    one = goals.Goal(goals.Goal(goal(person.id, "to be deleted")).create(server))
    answer = one.delete(server)
    assert answer is None or operationoutcome.OperationOutcome(answer)
    try:
        goals.Goal.read(one.id, server)
        raise AssertionError("read what was deleted")
    except HTTPError as error:
        assert error.response.status_code == 410
        outcome(error)

with step("parses the 404 of what is not there"):
    try:
        goals.Goal.read("nothing", server)
        raise AssertionError("read what is not there")
    except FHIRNotFoundException as error:
        outcome(error)

done()
