"""Baseten: the management client of `baseten`, and what `truss` asks of the same API."""

import asyncio

from baseten.client import AsyncManagementClient, ManagementClient
from baseten.client.managementapi import GetTeamsParams, UpsertSecretRequest

from harness import Account, Checks, methods

VERBS = ("get", "post", "delete")
TEAMS = [{"id": "t-one", "name": "One"}, {"id": "t-two", "name": "Two"}]


def secret(name, value):
    return UpsertSecretRequest(name=name, value=value)


def names(listing):
    return sorted(secret.name for secret in listing.secrets)


def workspace(check, api, account):
    made = api.post_secrets(request=secret("hf_token", "one"))
    check.equal("POST /v1/secrets creates", account.held("t-one"), {"hf_token": "one"})
    check.equal("the answer has the team's name", made.team_name, "One")
    check.true("its time has an offset", made.created_at.tzinfo is not None)
    again = api.post_secrets(request=secret("hf_token", "two"))
    check.equal("a second POST changes the value", account.held("t-one"), {"hf_token": "two"})
    check.equal("and neither id nor time", (again.id, again.created_at), (made.id, made.created_at))
    api.post_secrets(request=secret("hf-token", "three"))
    check.equal("names fold together", list(account.held("t-one").values()), ["three"])
    api.post_teams_secrets(team_id="t-two", request=secret("other", "x"))
    check.equal("GET /v1/secrets spans the teams", names(api.get_secrets()), ["hf_token", "other"])
    api.post_secrets(request=secret("a/b", "slash"))
    check.equal("a slash in a name", account.held("t-one").get("a/b"), "slash")
    check.equal("DELETE names what went", api.delete_secrets(secret_name="a/b").name, "a/b")
    check.true("and it is gone", "a/b" not in account.held("t-one"))
    api.delete_secrets(secret_name="hf_token")
    check.equal("DELETE /v1/secrets/{name} deletes", account.held("t-one"), {})
    gone = lambda: api.delete_secrets(secret_name="hf_token")
    check.raises("a deletion of what is gone is 404", gone, "HTTP 404")


def team(check, api, account):
    api.post_teams_secrets(team_id="t-one", request=secret("mine", "1"))
    check.equal("POST of a team creates there", account.held("t-one"), {"mine": "1"})
    check.equal("and not elsewhere", account.held("t-two"), {"other": "x"})
    check.equal("GET of a team", names(api.get_teams_secrets(team_id="t-one")), ["mine"])
    gone = api.delete_teams_secrets(team_id="t-two", secret_name="other")
    check.equal("DELETE of a team", (gone.name, account.held("t-two")), ("other", {}))
    check.equal("leaves the others", account.held("t-one"), {"mine": "1"})
    unknown = lambda: api.get_teams_secrets(team_id="none")
    check.raises("an unknown team is 404", unknown, "HTTP 404")
    teams = [team.id for team in api.get_teams().teams]
    check.equal("GET /v1/teams", teams, ["t-one", "t-two"])
    named = api.get_teams(params=GetTeamsParams(name="Two")).teams
    check.equal("GET /v1/teams?name=", [team.id for team in named], ["t-two"])


async def asynchronous(check, account):
    async with AsyncManagementClient(api_key=account.key, base_url_override=account.url) as client:
        api = client.api
        await api.post_secrets(request=secret("a", "1"))
        await api.post_teams_secrets(team_id="t-two", request=secret("b", "2"))
        held = (account.held("t-one").get("a"), account.held("t-two"))
        check.equal("the async client writes", held, ("1", {"b": "2"}))
        check.true("and lists", {"a", "b"} <= set(names(await api.get_secrets())))
        listed = names(await api.get_teams_secrets(team_id="t-two"))
        check.equal("and lists a team", listed, ["b"])
        await api.delete_secrets(secret_name="a")
        await api.delete_teams_secrets(team_id="t-two", secret_name="b")
        held = (account.held("t-one").get("a"), account.held("t-two"))
        check.equal("and deletes", held, (None, {}))


def sdk(simulator, version):
    check = Checks(f"baseten {version}")
    account = Account(simulator, "baseten", "sdk", teams=TEAMS)
    with ManagementClient(api_key=account.key, base_url_override=account.url) as client:
        driven = {f"{verb}_{scope}secrets" for verb in VERBS for scope in ("", "teams_")}
        check.equal("every method is driven", methods(client.api, "secret"), driven)
        workspace(check, client.api, account)
        team(check, client.api, account)
        asyncio.run(asynchronous(check, account))
        schemes = {request["headers"]["authorization"] for request in account.requests()}
        check.equal("every request has the scheme Bearer", schemes, {"Bearer ***"})
        account.vary(bearer=False)
        check.raises("a server of the seeds knows no Bearer", client.api.get_secrets, "HTTP 401")
        account.vary(bearer=True, id=False)
        check.raises("the client needs an id, which the seeds lack", client.api.get_secrets, "id")
        account.vary(id=True)
    with ManagementClient(api_key="wrong", base_url_override=account.url) as client:
        check.raises("a wrong key is 401", client.api.get_secrets, "HTTP 401")
    return check


def truss(simulator, version):
    from truss.remote.baseten import api as truss_api
    from truss.remote.baseten.auth import ApiKeyCredential, AuthService

    check = Checks(f"truss {version}")
    account = Account(simulator, "baseten", "truss", teams=TEAMS)
    # The one place where this client keeps the address of its API.
    truss_api.API_URL_MAPPING[account.url] = account.url
    for use_bearer, scheme in ((False, "Api-Key ***"), (True, "Bearer ***")):
        credential = ApiKeyCredential(api_key=account.key, use_bearer=use_bearer)
        api = truss_api.BasetenApi(account.url, AuthService(credential))
        driven = {"upsert_secret", "upsert_team_secret", "get_all_secrets", "get_team_secrets"}
        check.equal(f"every method is driven ({scheme})", methods(api, "secret"), driven)
        since, value = account.mark(), scheme[:3]
        api.upsert_secret("hf_token", value)
        check.equal(f"upsert_secret ({scheme})", account.held("t-one"), {"hf_token": value})
        api.upsert_team_secret("t-two", "team_token", value)
        check.equal(f"upsert_team_secret ({scheme})", account.held("t-two"), {"team_token": value})
        listed = sorted(secret["name"] for secret in api.get_all_secrets()["secrets"])
        check.equal(f"get_all_secrets ({scheme})", listed, ["hf_token", "team_token"])
        listed = [secret["name"] for secret in api.get_team_secrets("t-two")["secrets"]]
        check.equal(f"get_team_secrets ({scheme})", listed, ["team_token"])
        sent = {request["headers"]["authorization"] for request in account.requests(since)}
        check.equal(f"the scheme is {scheme}", sent, {scheme})
    return check
