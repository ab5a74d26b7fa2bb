"""Braintrust: `ai_secret` by the generated API of `braintrust`, and by the older `braintrust-api`."""

from braintrust.api._generated.ai_secrets import OPERATIONS
from braintrust.api.client import BraintrustClient

from harness import Account, Checks, methods

ORGANIZATIONS = ["first", "second"]


def writes(check, api, account):
    made = api.post_ai_secret(body={"name": "A_KEY", "secret": "one-one-one-one", "type": "openai"})
    check.equal("POST creates", account.held("first"), {"A_KEY": "one-one-one-one"})
    same = api.post_ai_secret(body={"name": "A_KEY", "secret": "two", "type": "other"})
    check.equal("a second POST changes nothing", same, made)
    check.equal("and the value stays", account.held("first"), {"A_KEY": "one-one-one-one"})
    put = api.put_ai_secret(body={"name": "A_KEY", "secret": "three", "type": "openai"})
    check.equal("PUT replaces", account.held("first"), {"A_KEY": "three"})
    check.equal("under the same id", put["id"], made["id"])
    check.true("and moves secret_updated_at", put["secret_updated_at"] > made["secret_updated_at"])
    kept = api.put_ai_secret(body={"name": "A_KEY"})
    check.equal("PUT without a secret keeps it", account.held("first"), {"A_KEY": "three"})
    check.equal("and blanks the type", kept["type"], None)
    patched = api.patch_ai_secret_id(made["id"], body={"secret": "four", "type": "xAI"})
    check.equal("PATCH changes the secret", account.held("first"), {"A_KEY": "four"})
    check.equal("and the type", patched["type"], "xAI")
    api.patch_ai_secret_id(made["id"], body={"metadata": {"a": {"b": 1}}})
    merged = api.patch_ai_secret_id(made["id"], body={"metadata": {"a": {"c": 2}}})
    check.equal("PATCH merges metadata", merged["metadata"], {"a": {"b": 1, "c": 2}})
    bare = api.patch_ai_secret_id(made["id"])
    check.equal("PATCH without a body changes nothing", bare, merged)
    renamed = api.patch_ai_secret_id(made["id"], body={"name": "B_KEY"})
    check.equal("PATCH renames", (renamed["name"], account.held("first")), ("B_KEY", {"B_KEY": "four"}))
    check.equal("GET by id", api.get_ai_secret_id(made["id"]), renamed)
    return made["id"]


def listing(check, api, account):
    for number in range(3):
        api.put_ai_secret(body={"name": f"L{number}", "secret": "x", "type": f"t{number % 2}"})
    api.put_ai_secret(body={"name": "ELSEWHERE", "secret": "y", "org_name": "second"})
    check.equal("org_name chooses the organization", account.held("second"), {"ELSEWHERE": "y"})
    listed = lambda **query: [item["name"] for item in api.get_ai_secret(**query)["objects"]]
    check.equal("the list is newest first", listed(org_name="first"), ["L2", "L1", "L0", "B_KEY"])
    check.equal("by name", listed(ai_secret_name="L1"), ["L1"])
    check.equal("by types", listed(ai_secret_type=["t0"]), ["L2", "L0"])
    ids = [api.get_ai_secret(ai_secret_name=name)["objects"][0]["id"] for name in ("L0", "L2")]
    check.equal("by ids", listed(ids=ids), ["L2", "L0"])
    pages, cursor = [], None
    while True:
        page = api.get_ai_secret(limit=2, starting_after=cursor, org_name="first")["objects"]
        if not page:
            break
        pages.append([item["name"] for item in page])
        cursor = page[-1]["id"]
    check.equal("pages end with an empty one", pages, [["L2", "L1"], ["L0", "B_KEY"]])
    check.equal("a page before a cursor", listed(limit=1, ending_before=ids[0]), ["L1"])


def deletions(check, api, account, identity):
    gone = api.delete_ai_secret_id(identity)
    check.equal("DELETE by id", (gone["name"], "B_KEY" in account.held("first")), ("B_KEY", False))
    check.raises("again it is 404", lambda: api.delete_ai_secret_id(identity), "HTTP 404")
    check.raises("GET of it is 404", lambda: api.get_ai_secret_id(identity), "HTTP 404")
    api.delete_ai_secret(body={"name": "L0"})
    check.true("DELETE by name", "L0" not in account.held("first"))
    api.delete_ai_secret(body={"name": "ELSEWHERE", "org_name": "second"})
    check.equal("DELETE by name in an organization", account.held("second"), {})
    account.vary(missing_id="bad_request")
    check.raises("or it is 400", lambda: api.get_ai_secret_id(identity), "HTTP 400")
    account.vary(missing_id="not_found")


def failures(check, api, account):
    down = {"answer": {"status": 503, "headers": {}, "body": ""}}
    account.fault(action=down, method="PUT")
    since = account.mark()
    write = lambda: api.put_ai_secret(body={"name": "RETRIED", "secret": "x"})
    check.raises("a write that fails is not sent again", write, "HTTP 503 after 1 attempt")
    check.equal("so there was one", account.lines(since), ["PUT /v1/ai_secret"])
    account.fault(action=down, method="GET")
    since = account.mark()
    api.get_ai_secret()
    check.equal("a read that fails is sent again", account.lines(since), ["GET /v1/ai_secret"] * 2)
    nameless = lambda: api.post_ai_secret(body={"secret": "x"})
    check.raises("a secret without a name is 400", nameless, "HTTP 400")
    account.vary(errors="json")
    check.raises("also where errors are JSON", nameless, "HTTP 400")
    account.vary(errors="text", secret_updated_at_absent=True)
    older = api.put_ai_secret(body={"name": "OLD", "secret": "x"})
    check.true("an older data plane has no secret_updated_at", "secret_updated_at" not in older)
    account.vary(secret_updated_at_absent=False)


def sdk(simulator, version):
    check = Checks(f"braintrust {version}")
    account = Account(simulator, "braintrust", "sdk", organizations=ORGANIZATIONS)
    with BraintrustClient(api_key=account.key, api_url=account.url) as client:
        api = client.openapi.ai_secrets
        # `delete`, `get` and `patch` of one secret by its id, and `delete`, `get`, `post` and `put` of the collection.
        check.equal("every operation is driven", len(methods(api, "ai_secret")), len(OPERATIONS))
        check.equal("which are seven", len(OPERATIONS), 7)
        identity = writes(check, api, account)
        listing(check, api, account)
        deletions(check, api, account, identity)
        failures(check, api, account)
    with BraintrustClient(api_key="wrong", api_url=account.url) as client:
        wrong = client.openapi.ai_secrets.get_ai_secret
        check.raises("a wrong key is 401", wrong, "HTTP 401")
    return check


def older_sdk(simulator, version):
    from braintrust_api import Braintrust

    check = Checks(f"braintrust-api {version}")
    account = Account(simulator, "braintrust", "older", organizations=ORGANIZATIONS)
    with Braintrust(api_key=account.key, base_url=account.url, max_retries=0) as client:
        api = client.ai_secrets
        driven = {"create", "delete", "find_and_delete", "list", "replace", "retrieve", "update"}
        check.equal("every method is driven", methods(api), driven)
        made = api.create(name="A_KEY", secret="one", type="openai")
        check.equal("create", account.held("first"), {"A_KEY": "one"})
        api.create(name="A_KEY", secret="two")
        check.equal("create of a name that exists", account.held("first"), {"A_KEY": "one"})
        put = api.replace(name="A_KEY", secret="three", metadata={"a": 1})
        check.equal("replace", (account.held("first"), put.id), ({"A_KEY": "three"}, made.id))
        api.update(made.id, secret="four")
        check.equal("update", account.held("first"), {"A_KEY": "four"})
        bare = api.update(made.id)
        check.equal("update of nothing", (bare.metadata, bare.type), ({"a": 1}, None))
        check.equal("retrieve", api.retrieve(made.id).name, "A_KEY")
        for number in range(101):
            account.foreign(f"N{number}", "x", "first")
        listed = [item.name for item in api.list(org_name="first", limit=40)]
        check.equal("list reads every page", len(set(listed)), 102)
        api.find_and_delete(name="A_KEY")
        check.true("find_and_delete", "A_KEY" not in account.held("first"))
        last = api.list(ai_secret_name="N100").objects[0].id
        api.delete(last)
        check.true("delete", "N100" not in account.held("first"))
    return check
