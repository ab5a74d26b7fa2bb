"""Pipecat Cloud: `pipecat cloud secrets`, and the commands beside it that tell where a set goes."""

import base64

from harness import Account, Checks, Program

ORGANIZATION = "cli"
REGION = "pce-contract"
ROOT = f"/v1/organizations/{ORGANIZATION}/secrets"


def connect(simulator, folder):
    secrets = [
        {"region": REGION, "name": "in-cluster", "type": "secret"},
        {"region": REGION, "name": "registry", "type": "imagePullSecret"},
    ]
    account = Account(simulator, "pipecat", ORGANIZATION, cluster_secrets=secrets)
    environment = {
        "PIPECAT_API_HOST": account.url,
        "PIPECAT_TOKEN": account.key,
        "PIPECAT_ORG": ORGANIZATION,
        "PIPECAT_OUTPUT": "json",
    }
    return account, Program("pipecat", folder, environment, ["cloud"])


def sets(check, pipecat, account):
    since = account.mark()
    code, _, text = pipecat.run("secrets", "set", "app", "A=1", 'B="two words"', "--skip")
    check.equal("secrets set creates", (code, account.held("app")), (0, {"A": "1", "B": "two words"}))
    puts = [line for line in account.lines(since) if line.startswith("PUT")]
    check.equal("by one PUT for each key", puts, [f"PUT {ROOT}/app"] * 2)
    answers = {request["status"] for request in account.requests(since) if request["method"] == "PUT"}
    check.equal("which is accepted", answers, {202})
    pipecat.run("secrets", "set", "app", "A=3", "--skip")
    check.equal("secrets set keeps the other keys", account.held("app"), {"A": "3", "B": "two words"})
    (pipecat.home / "app.env").write_text('# a comment\nC=x=y\nD="quoted"\n')
    pipecat.run("secrets", "set", "app", "--file", "app.env", "--skip")
    held = account.held("app")
    check.equal("secrets set --file", (held.get("C"), held.get("D")), ("x=y", "quoted"))
    shown = pipecat.json("secrets", "list", "app")
    keys = [item["fieldName"] for item in shown["secrets"]]
    check.equal("secrets list of a set", keys, ["A", "B", "C", "D"])
    check.true("with its readiness", shown["status"] in ("pending", "ready"), shown)
    pipecat.run("secrets", "set", "far", "A=1", "--region", "eu-central", "--skip")
    listed = pipecat.json("secrets", "list")["secretSets"]
    where = {item["name"]: item["region"] for item in listed}
    check.equal("secrets set --region", where, {"app": "us-west", "far": "eu-central"})
    listed = pipecat.json("secrets", "list", "--region", "eu-central")["secretSets"]
    check.equal("secrets list --region", [item["name"] for item in listed], ["far"])
    code, _, text = pipecat.run("secrets", "set", "far", "B=1", "--region", "us-east", "--skip")
    check.true("a set stays in its region", code == 1 and "Cannot change region" in text, text)
    code, _, _ = pipecat.run("secrets", "unset", "app", "A", "--skip")
    check.equal("secrets unset", (code, "A" in account.held("app")), (0, False))
    code, _, text = pipecat.run("secrets", "unset", "app", "A", "--skip")
    check.true("again it is not found", code == 1 and "Key not found" in text, text)
    for name in ("app", "far"):
        code, _, _ = pipecat.run("secrets", "delete", name, "--skip")
        check.equal(f"secrets delete {name}", (code, account.held(name)), (0, {}))
    code, _, text = pipecat.run("secrets", "delete", "app", "--skip")
    check.true("again it is not found", code == 1 and "No set found" in text, text)
    code, _, _ = pipecat.run("secrets", "list", "app")
    check.equal("secrets list of what is gone", code, 1)


def image_pull(check, pipecat, account):
    encoded = lambda pair: {"secretValue": base64.b64encode(pair.encode()).decode()}
    make = ("secrets", "image-pull-secret", "pull", "https://ghcr.io")
    code, _, _ = pipecat.run(*make, "user:one", "--skip")
    check.equal("secrets image-pull-secret creates", (code, account.held("pull")), (0, encoded("user:one")))
    code, _, _ = pipecat.run(*make, "user:two", "--skip")
    check.equal("and updates in place", (code, account.held("pull")), (0, encoded("user:two")))
    account.vary(image_pull_update="refused")
    code, _, text = pipecat.run(*make, "user:three", "--skip")
    check.true("the seed refuses that", code == 1 and "Delete and recreate" in text, text)
    check.equal("and keeps the old one", account.held("pull"), encoded("user:two"))
    account.vary(image_pull_update="allowed")
    shown = pipecat.json("secrets", "list")["secretSets"]
    check.equal("it is listed as one", [item["type"] for item in shown], ["imagePullSecret"])
    code, _, text = pipecat.run("secrets", "list", "pull", PIPECAT_OUTPUT="plain")
    check.true("it cannot be read by itself", code == 1 and "cannot be read" in text, text)
    code, _, text = pipecat.run("secrets", "set", "pull", "A=1", "--skip")
    check.true("nor become a set of keys", code == 1, text)
    pipecat.run("secrets", "delete", "pull", "--skip")
    check.equal("it is deleted", account.held("pull"), {})


def references(check, pipecat, account):
    code, _, text = pipecat.run("secrets", "reference", "in-cluster", "--region", REGION)
    check.true("secrets reference", code == 0 and "referenced" in text, text)
    code, _, text = pipecat.run("secrets", "reference", "registry", "--region", REGION)
    check.true("of an image pull secret", code == 0 and "image pull secret" in text, text)
    code, _, text = pipecat.run("secrets", "reference", "absent", "--region", REGION)
    check.true("of what is not there", code == 1 and "NOT_FOUND" in text, text)
    code, _, text = pipecat.run("secrets", "reference", "in-cluster", "--region", "us-west")
    check.true("of a region of the vendor's", code == 1, text)
    code, _, text = pipecat.run("secrets", "reference", "in-cluster", "--region", "pce-none")
    check.true("of an unknown region", code == 1 and "Invalid region" in text, text)
    shown = pipecat.json("secrets", "list", "in-cluster")
    check.equal("it shows no keys", (shown["source"], shown["secrets"]), ("referenced", []))
    account.vary(referenced_keys="absent", referenced_status="unknown")
    shown = pipecat.json("secrets", "list", "in-cluster")
    check.equal("not even a list of none", ("secrets" in shown, shown["status"]), (False, "unknown"))
    account.vary(referenced_keys="empty", referenced_status="ready")
    since = account.mark()
    code, _, text = pipecat.run("secrets", "set", "in-cluster", "A=1", "--skip")
    check.true("the client does not write it", code == 1 and "referenced" in text, text)
    check.equal("and does not ask to", account.lines(since), [f"GET {ROOT}/in-cluster"])
    for name in ("in-cluster", "registry"):
        code, _, text = pipecat.run("secrets", "delete", name, "--skip")
        check.equal(f"secrets delete of the reference {name}", code, 0)


def organization(check, pipecat, account):
    run = lambda *arguments: pipecat.json("organizations", *arguments)
    check.equal("properties list", run("properties", "list"), {"defaultRegion": "us-west"})
    schema = run("properties", "schema")["defaultRegion"]
    check.equal("properties schema", schema["currentValue"], "us-west")
    check.true("names the own region", REGION in schema["availableValues"])
    pipecat.run("organizations", "properties", "set", "defaultRegion", "ap-south")
    check.equal("properties set", run("properties", "list"), {"defaultRegion": "ap-south"})
    code, out, text = pipecat.run("organizations", "default-region", "us-east", PIPECAT_OUTPUT="plain")
    check.true("default-region sets", code == 0, text)
    code, out, text = pipecat.run("organizations", "default-region", PIPECAT_OUTPUT="plain")
    check.true("default-region shows", code == 0 and "us-east" in out, text)
    code, _, text = pipecat.run("organizations", "properties", "set", "defaultRegion", "mars")
    check.true("an unknown region is refused", code == 1, text)
    pipecat.run("secrets", "set", "here", "A=1", "--skip")
    listed = pipecat.json("secrets", "list")["secretSets"]
    check.equal("a set is made in the default region", listed[0]["region"], "us-east")
    pipecat.run("secrets", "delete", "here", "--skip")
    code, out, text = pipecat.run("regions", "list", PIPECAT_OUTPUT="plain")
    check.true("regions list", code == 0 and "us-west" in out and REGION in out, text)


def failures(check, pipecat, account):
    code, _, text = pipecat.run("secrets", "set", "bad_name", "A=1", "--skip")
    check.true("a name that the client takes and the API does not", code == 1, text)
    since = account.mark()
    code, _, _ = pipecat.run("secrets", "set", "app", "a.b=1", "--skip")
    check.equal("a key that the client refuses itself", (code, account.lines(since)), (1, []))
    code, _, text = pipecat.run("secrets", "list", PIPECAT_TOKEN="wrong")
    check.true("a wrong key is unauthorized", code == 1 and "Unauthorized" in text, text)
    code, _, text = pipecat.run("secrets", "list", "--organization", "other")
    check.true("another organization is refused", code == 1 and "FORBIDDEN" in text, text)
    account.vary(put_answer="ok", ready_after_milliseconds=0)
    code, _, text = pipecat.run("secrets", "set", "app", "A=1", "--skip")
    check.equal("the seed's 200 is a success too", (code, account.held("app")), (0, {"A": "1"}))
    account.vary(put_answer="accepted", conflict="while_pending", ready_after_milliseconds=600_000)
    code, _, text = pipecat.run("secrets", "set", "two", "A=1", "B=2", "--skip")
    check.true("a PUT while pending must not be refused", code == 1 and "CONFLICT" in text, text)
    account.vary(conflict="concurrent_write", ready_after_milliseconds=200)
    schemes = {request["headers"]["authorization"] for request in account.requests()}
    check.equal("every request has the scheme Bearer", schemes, {"Bearer ***"})


def cli(simulator, version, folder):
    check = Checks(f"pipecat {version}")
    account, pipecat = connect(simulator, folder)
    commands = {"set", "unset", "list", "delete", "image-pull-secret", "reference"}
    check.equal("every command of `secrets` is driven", pipecat.commands("secrets"), commands)
    commands = {"list", "schema", "set"}
    properties = pipecat.commands("organizations", "properties")
    check.equal("every command of `properties` is driven", properties, commands)
    sets(check, pipecat, account)
    image_pull(check, pipecat, account)
    references(check, pipecat, account)
    organization(check, pipecat, account)
    failures(check, pipecat, account)
    return check
