"""smart-fetch, as one would run it: `crawl` asks by person, `bulk` exports. It signs in with the scopes of all its
types in one request, in version 1's words, and expects to be given those that there are."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from exchange import FHIR, KEYS, Skipped, done, operations, step

PEOPLE = os.environ["HANDOFF_PEOPLE"]
TYPES = "Patient,Condition,Procedure,ServiceRequest,Observation,Encounter"


def smart_fetch(folder, verb, alg, *more):
    """Runs it and answers with what it wrote, by type."""
    program = Path(sys.executable).with_name("smart-fetch")
    key = KEYS / f"{alg.lower()}.jwks"
    signs = ["--smart-client-id", "smart-fetch", "--smart-key", str(key)]
    command = [str(program), verb, folder, "--fhir-url", FHIR, *signs, "--no-compression", *more]
    # Its patience with a server in trouble is a quarter of an hour; ours is not.
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = (run.stdout + run.stderr).strip()
    assert run.returncode == 0, f"exit {run.returncode}: {said[-1500:]}"
    errors = [file.read_text() for file in Path(folder).glob("**/error/*")]
    assert not errors, errors
    return {file.name.split(".")[0]: lines(file) for file in Path(folder).glob("**/*.ndjson") if file.stem != "log"}


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def whole(found):
    """All three people of the fixtures, and what was asked about them."""
    assert len(found["Patient"]) == 3, {kind: len(rows) for kind, rows in found.items()}
    assert found["Condition"] and found["ServiceRequest"], list(found)
    assert all(row["resourceType"] == kind for kind, rows in found.items() for row in rows)


def exports():
    if "export" not in operations():
        raise Skipped("/fhir/metadata declares no `export` at system level, SO BULK EXPORT WAS NOT TRIED")


with tempfile.TemporaryDirectory() as folder:
    with step("crawls by person, signed in with RS384"):
        ids = ["--id-system", "https://river-clinic.example/mrn", "--id-list", PEOPLE]
        whole(smart_fetch(f"{folder}/crawl", "crawl", "RS384", "--type", TYPES, *ids))

    with step("crawls what is new since a moment, signed in with ES384"):
        ids = ["--id-system", "https://river-clinic.example/mrn", "--id-list", PEOPLE]
        since = ["--since", "2999-01-01T00:00:00+00:00", "--since-mode", "updated"]
        found = smart_fetch(f"{folder}/since", "crawl", "ES384", "--type", "Patient,Condition", *ids, *since)
        assert not found.get("Condition"), found

    with step("exports in bulk, and deletes the export"):
        exports()
        whole(smart_fetch(f"{folder}/bulk", "bulk", "RS384", "--type", TYPES))

    with step("exports in bulk what a filter gives"):
        exports()
        filters = ["--type-filter", "Condition?clinical-status=active,recurrence", "--since", "2020-01-01T00:00:00Z"]
        found = smart_fetch(f"{folder}/filtered", "bulk", "ES384", "--type", "Patient,Condition", *filters)
        assert set(found) == {"Patient", "Condition"}, list(found)

    with step("runs a managed export with hydration"):
        exports()
        found = smart_fetch(f"{folder}/managed", "export", "RS384", "--type", TYPES)
        assert len(found["Patient"]) >= 3, list(found)

done()
