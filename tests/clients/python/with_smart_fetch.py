"""smart-fetch, as one would run it: `crawl` asks by person, `bulk` exports. It signs in with the scopes of all its
types in one request, in version 1's words, and expects to be given those that there are."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from exchange import FHIR, KEYS, MRN, Skipped, done, operations, step

TYPES = "Patient,Condition,Procedure,ServiceRequest,Observation,Encounter"


def run(verb, of, alg, *more):
    """Runs it and answers with what it said."""
    program = Path(sys.executable).with_name("smart-fetch")
    key = KEYS / f"{alg.lower()}.jwks"
    signs = ["--smart-client-id", "smart-fetch", "--smart-key", str(key)]
    command = [str(program), verb, of, "--fhir-url", FHIR, *signs, *more]
    # Its patience with a server in trouble is a quarter of an hour; ours is not.
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = (ran.stdout + ran.stderr).strip()
    assert ran.returncode == 0, f"exit {ran.returncode}: {said[-1500:]}"
    assert "Failed to clean up" not in said, said
    return ran.stdout


def fetched(folder, verb, alg, *more):
    """Runs it and answers with what it wrote, by type."""
    run(verb, folder, alg, "--no-compression", *more)
    errors = [file.read_text() for file in Path(folder).glob("**/error/*")]
    assert not errors, errors
    return {file.name.split(".")[0]: lines(file) for file in Path(folder).glob("**/*.ndjson") if file.stem != "log"}


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def whole(found):
    """All three people of the fixtures, and what was asked about them."""
    names = {identifier["value"] for row in found["Patient"] for identifier in row.get("identifier", [])}
    assert names >= set(MRN[1]) and found["Condition"] and found["ServiceRequest"], (names, list(found))
    assert all(row["resourceType"] == kind for kind, rows in found.items() for row in rows)


def exports(of="system"):
    if "export" not in operations(of):
        raise Skipped(f"/fhir/metadata declares no `export` ({of}), SO BULK EXPORT WAS NOT TRIED")


with tempfile.TemporaryDirectory() as folder:
    with step("crawls by person, signed in with RS384"):
        people = ["--id-system", MRN[0], "--id-list", ",".join(MRN[1])]
        crawled = fetched(f"{folder}/crawl", "crawl", "RS384", "--type", TYPES, *people)
        whole(crawled)
        assert len(crawled["Patient"]) == 3

    with step("crawls what is new since a moment, signed in with ES384"):
        people = ["--source-dir", f"{folder}/crawl", "--type", "Condition,ServiceRequest"]
        for since, there in (("2020-01-01T00:00:00+00:00", True), ("2999-01-01T00:00:00+00:00", False)):
            asks = [*people, "--since", since, "--since-mode", "updated"]
            found = fetched(f"{folder}/{since[:4]}", "crawl", "ES384", *asks)
            assert bool(found.get("Condition")) is there, found

    with step("fetches a single resource"):
        one = crawled["Condition"][0]
        assert json.loads(run("single", f"Condition/{one['id']}", "ES384", "--compact")) == one

    with step("exports in bulk, and deletes the export"):
        exports()
        whole(fetched(f"{folder}/bulk", "bulk", "RS384", "--type", TYPES))

    with step("exports in bulk what a filter gives, since a moment"):
        exports()
        filters = ["--type-filter", "Condition?clinical-status=active,recurrence", "--since", "2020-01-01T00:00:00Z"]
        found = fetched(f"{folder}/filtered", "bulk", "ES384", "--type", "Patient,Condition", *filters)
        assert set(found) == {"Patient", "Condition"}, list(found)

    with step("exports a Group in bulk"):
        exports("Group")
        group = (KEYS / "group-id").read_text()
        found = fetched(f"{folder}/group", "bulk", "ES384", "--type", TYPES, "--group", group)
        whole(found)
        assert len(found["Patient"]) == 3, len(found["Patient"])

    with step("runs a managed export with hydration"):
        exports()
        whole(fetched(f"{folder}/managed", "export", "RS384", "--type", TYPES))

done()
