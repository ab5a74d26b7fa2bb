"""PrimeIntellect: the commands `secret` and `env secret` of `prime`."""

import base64

from harness import Account, Checks, Program

TEAM = "team-one"
SLUG = "contract/solver"


def connect(simulator, folder):
    account = Account(
        simulator, "primeintellect", "cli", teams=[TEAM], environments=[SLUG]
    )
    environment = {"PRIME_API_BASE_URL": account.url, "PRIME_API_KEY": account.key}
    return account, Program("prime", folder, environment)


def personal(check, prime, account):
    made = prime.json("secret", "create", "-n", "A_KEY", "-v", "one", "-d", "first", "-o", "json")
    check.equal("secret create", account.held(), {"A_KEY": "one"})
    check.equal("and its description", made["description"], "first")
    file = base64.b64encode(b"\x00\xff bytes").decode()
    made_file = prime.json("secret", "create", "-n", "A_FILE", "-v", file, "--file", "-o", "json")
    check.equal("secret create --file", account.held()["A_FILE"], file)
    check.true("is a file", made_file["isFile"])
    listed = prime.json("secret", "list", "-o", "json")["secrets"]
    check.equal("secret list", sorted(item["name"] for item in listed), ["A_FILE", "A_KEY"])
    code, out, _ = prime.run("secret", "list")
    check.true("secret list as a table", code == 0 and "A_KEY" in out)
    shown = prime.json("secret", "get", made["id"], "-o", "json")
    check.equal("secret get", (shown["name"], "value" in shown), ("A_KEY", False))
    updated = prime.json("secret", "update", made["id"], "-v", "two", "-o", "json")
    check.equal("secret update --value", account.held()["A_KEY"], "two")
    check.true("moves updatedAt", updated["updatedAt"] > made["updatedAt"])
    check.equal("and keeps the description", updated["description"], "first")
    renamed = prime.json("secret", "update", made["id"], "-n", "B_KEY", "-d", "second", "-o", "json")
    check.equal("secret update --name", account.held().get("B_KEY"), "two")
    check.equal("secret update --description", renamed["description"], "second")
    code, _, text = prime.run("secret", "create", "-n", "B_KEY", "-v", "x")
    check.true("a name that is taken is refused", code == 1 and "HTTP 409" in text, text)
    check.equal("and nothing is written", account.held()["B_KEY"], "two")
    code, _, _ = prime.run("secret", "delete", made["id"], "-y")
    check.equal("secret delete", (code, "B_KEY" in account.held()), (0, False))
    code, _, text = prime.run("secret", "delete", made["id"], "-y")
    check.true("again it is 404", code == 1 and "HTTP 404" in text, text)
    code, _, text = prime.run("secret", "get", made["id"])
    check.true("get of it is 404", code == 1 and "HTTP 404" in text, text)
    prime.run("secret", "delete", made_file["id"], "-y")
    check.equal("the file is deleted", account.held(), {})


def team(check, prime, account):
    scope = {"PRIME_TEAM_ID": TEAM}
    since = account.mark()
    made = prime.json("secret", "create", "-n", "T_KEY", "-v", "1", "-o", "json", **scope)
    check.equal("secret create in a team", account.held(TEAM), {"T_KEY": "1"})
    check.equal("and not in the personal scope", account.held(), {})
    check.equal("its teamId", made["teamId"], TEAM)
    listed = prime.json("secret", "list", "-o", "json", **scope)["secrets"]
    check.equal("secret list of a team", [item["name"] for item in listed], ["T_KEY"])
    check.equal("secret list without it", prime.json("secret", "list", "-o", "json"), {"secrets": []})
    shown = prime.json("secret", "get", made["id"], "-o", "json", **scope)
    check.equal("secret get of a team", shown["name"], "T_KEY")
    prime.json("secret", "update", made["id"], "-v", "2", "-o", "json", **scope)
    check.equal("secret update in a team", account.held(TEAM), {"T_KEY": "2"})
    code, _, text = prime.run("secret", "update", made["id"], "-v", "3")
    check.true("without the team it is 404", code == 1 and "HTTP 404" in text, text)
    prime.run("secret", "delete", made["id"], "-y", **scope)
    check.equal("secret delete in a team", account.held(TEAM), {})
    queries = {
        (request["method"], request["query"])
        for request in account.requests(since)
        if request["method"] != "POST" and request["status"] == 200 and request["query"]
    }
    asked = {(method, f"teamId={TEAM}") for method in ("GET", "PATCH", "DELETE")}
    check.equal("the team is in the query of all but the creation", queries, asked)
    code, _, text = prime.run("secret", "list", PRIME_TEAM_ID="none")
    check.true("another team is refused", code == 1 and "HTTP 403" in text, text)


def environment(check, prime, account):
    run = lambda *arguments: prime.json("env", "secret", *arguments, "-o", "json")
    made = run("create", SLUG, "-n", "OWN", "-v", "1", "-d", "own")
    check.equal("env secret create", account.held(SLUG), {"OWN": "1"})
    globally = prime.json("secret", "create", "-n", "GLOBAL", "-v", "2", "-o", "json")
    linked = run("link", globally["id"], SLUG)
    check.equal("env secret link", account.held(SLUG), {"OWN": "1", "GLOBAL": "2"})
    check.equal("its answer", linked["secretName"], "GLOBAL")
    listed = run("list", SLUG)["secrets"]
    check.equal("env secret list", [item["name"] for item in listed], ["OWN", "GLOBAL"])
    run("update", SLUG, "--id", made["id"], "-v", "3")
    check.equal("env secret update", account.held(SLUG)["OWN"], "3")
    code, _, text = prime.run("env", "secret", "create", SLUG, "-n", "GLOBAL", "-v", "x")
    check.true("a name that is linked is taken", code == 1 and "HTTP 409" in text, text)
    code, _, _ = prime.run("env", "secret", "unlink", globally["id"], SLUG, "-y")
    check.equal("env secret unlink", (code, account.held(SLUG)), (0, {"OWN": "3"}))
    run("link", globally["id"], SLUG)
    prime.run("secret", "delete", globally["id"], "-y")
    check.equal("a deletion drops the link", account.held(SLUG), {"OWN": "3"})
    code, _, _ = prime.run("env", "secret", "delete", SLUG, "--id", made["id"], "-y")
    check.equal("env secret delete", (code, account.held(SLUG)), (0, {}))
    code, _, text = prime.run("env", "secret", "list", "contract/none")
    check.true("an unknown environment is 404", code == 1 and "HTTP 404" in text, text)


def failures(check, prime, account):
    since = account.mark()
    code, _, _ = prime.run("secret", "create", "-n", "lower-case", "-v", "x")
    check.equal("the client refuses a lower-case name itself", (code, account.lines(since)), (1, []))
    large = base64.b64encode(bytes(50_000)).decode()
    create = ("secret", "create", "-n", "LARGE", "-v", large, "--file")
    code, _, text = prime.run(*create)
    check.true("the seed's 422 is shown as it is", code == 1 and '"errors"' in text, text)
    account.vary(errors="detail")
    code, _, text = prime.run(*create)
    check.true("of the framework's the client reads the message", code == 1 and "64KB" in text, text)
    account.vary(errors="errors", write_answer="null")
    code, _, _ = prime.run("secret", "create", "-n", "NULL_DATA", "-v", "x", "-o", "json")
    check.equal("data may be null (seed): it is written", account.held(), {"NULL_DATA": "x"})
    account.vary(write_answer="object")
    for number in range(105):
        account.foreign(f"N{number}", "x")
    listed = prime.json("secret", "list", "-o", "json")["secrets"]
    check.equal("the client reads the first page only", (len(account.held()), len(listed)), (106, 100))
    code, _, text = prime.run("secret", "list", PRIME_API_KEY="wrong")
    check.true("a wrong key is 401", code == 1 and "unauthorized" in text, text)
    schemes = {request["headers"]["authorization"] for request in account.requests()}
    check.equal("every request has the scheme Bearer", schemes, {"Bearer ***"})


def cli(simulator, version, folder):
    check = Checks(f"prime {version}")
    account, prime = connect(simulator, folder)
    commands = {"list", "create", "update", "delete", "get"}
    check.equal("every command of `secret` is driven", prime.commands("secret"), commands)
    commands = {"list", "create", "update", "delete", "link", "unlink"}
    check.equal("every command of `env secret` is driven", prime.commands("env", "secret"), commands)
    personal(check, prime, account)
    team(check, prime, account)
    environment(check, prime, account)
    failures(check, prime, account)
    return check
