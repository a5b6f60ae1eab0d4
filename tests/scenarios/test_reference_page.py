"""The reference page in Chromium: somebody reads it, sends requests with it and copies from it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from pagecalls.call.states import Action
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.finding import find_chromium
from pagecalls.graph.openapi import examples
from pagecalls.graph.openapi.snippets import SNIPPETS, TOKEN, fill

from .conftest import World

FAULTS = """
window.faults = [];
addEventListener("error", (event) => faults.push(event.message || `not loaded: ${event.target.src || event.target.href}`), true);
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => faults.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
"""In place before the page's own scripts."""


PANELS = '[...document.querySelectorAll(".panel")]'


class Tab:
    """A page of the browser, asked in JavaScript."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    @classmethod
    async def open(cls, browser: Chromium, url: str) -> Tab:
        """A page that has loaded, scripts included."""
        target = (await browser.command("Target.createTarget", {"url": "about:blank"}))["targetId"]
        attached = await browser.command("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = cls(browser, attached["sessionId"])
        await tab.command("Page.enable")
        await tab.command("Page.addScriptToEvaluateOnNewDocument", source=FAULTS)
        await tab.command("Emulation.setFocusEmulationEnabled", enabled=True)
        await tab.go(url)
        return tab

    async def go(self, url: str) -> None:
        """Navigate, and wait for the page's scripts."""
        await self.command("Page.navigate", url=url)
        await self.until('document.querySelector("#try") && !document.querySelector("#try").hidden')

    async def command(self, method: str, **parameters: Any) -> Any:
        return await self._browser.command(method, parameters, session=self._session)

    async def ask(self, expression: str) -> Any:
        """The value of an expression, or of its promise."""
        outcome = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in outcome, outcome["exceptionDetails"]
        return outcome["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait in the page, where nothing is missed."""
        await self.ask(f"new Promise((done) => {{ const look = () => ({condition}) ? done() : setTimeout(look, 10); look(); }})")

    async def text(self, selector: str) -> str:
        return str(await self.ask(f"document.querySelector({json.dumps(selector)}).textContent"))

    async def type(self, selector: str, text: str) -> None:
        """As a keyboard does, in place of what is there."""
        await self.ask(f"document.querySelector({json.dumps(selector)}).select()")
        await self.command("Input.insertText", text=text)

    async def choose(self, selector: str, value: str) -> None:
        await self.ask(
            f"{{ const field = document.querySelector({json.dumps(selector)}); field.value = {json.dumps(value)};"
            ' field.dispatchEvent(new Event("input", { bubbles: true })); }'
        )

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.command("Input.dispatchKeyEvent", type=kind, key=key)

    async def send(self) -> dict[str, Any]:
        """Press the button; the body of the answer."""
        await self.ask(
            'document.querySelector("#outcome").textContent = ""; document.querySelector("#try [type=submit]").click()'
        )
        await self.until('document.querySelector("#outcome").textContent !== ""')
        body: dict[str, Any] = json.loads(await self.text("#answer-body"))
        return body

    async def headers(self) -> dict[str, str]:
        """Those of the answer, as shown."""
        names = await self.ask('[...document.querySelectorAll("#answer-headers dt")].map((each) => each.textContent)')
        values = await self.ask('[...document.querySelectorAll("#answer-headers dd")].map((each) => each.textContent)')
        return dict(zip(names, values, strict=True))


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    binary = find_chromium()
    assert binary is not None, "Chromium is not installed"
    async with Chromium(binary) as browser:
        yield browser


async def test_somebody_calls_with_it(world: World, browser: Chromium) -> None:
    tab = await Tab.open(browser, f"{world.base_url}/docs/")
    await tab.type("#token", world.app.token)
    refused = await tab.send()
    assert refused["error"]["code"] == refused["code"] == 10
    assert (await tab.text("#outcome")).startswith("403 Forbidden after ")

    await world.grant()
    answer = await tab.send()
    assert (await tab.text("#outcome")).startswith("200 OK after ")
    assert answer["success"] is True
    assert answer["session"]["sdp_response"]["sdp_type"] == "answer"
    assert (await tab.headers())["facebook-api-version"] == "v26.0"
    await world.app.expect("connect", answer["call_id"], call_direction="business_initiated")

    # The call that has just begun is ended with the same form, under another version and with the token in the query.
    await tab.go(f"{world.base_url}/docs/v21.0/")
    await tab.choose("#place", "access_token")
    await tab.choose("#action", "terminate")
    await tab.type("#token", world.app.token)
    await tab.type("#body", json.dumps({"action": "terminate", "call_id": answer["call_id"]}))
    assert (await tab.send())["success"] is True
    assert (await tab.headers())["facebook-api-version"] == "v21.0"
    await world.app.expect("terminate", answer["call_id"])

    shown = await tab.ask("document.documentElement.outerHTML + location.href + JSON.stringify([localStorage, sessionStorage])")
    assert world.app.token not in shown
    assert await tab.ask("faults") == []


async def test_mistakes_are_told(world: World, browser: Chromium) -> None:
    tab = await Tab.open(browser, f"{world.base_url}/docs/")
    assert (await tab.send())["error"]["code"] == 2500  # `me` is nobody without a token

    await tab.type("#body", "{")
    assert (await tab.text("#fault")).startswith("This is not JSON")
    await tab.ask('document.querySelector("#outcome").textContent = ""; document.querySelector("#try [type=submit]").click()')
    assert await tab.ask("document.activeElement.id") == "body"
    assert await tab.text("#outcome") == ""

    await tab.type("#body", '{"action": "dance"}')
    assert await tab.text("#fault") == ""
    await tab.type("#token", world.app.token)
    assert (await tab.send())["error"]["error_subcode"] == 9905011

    await tab.ask("window.fetch = () => Promise.reject(new TypeError())")
    await tab.ask('document.querySelector("#outcome").textContent = ""; document.querySelector("#try [type=submit]").click()')
    await tab.until('document.querySelector("#outcome").textContent !== ""')
    assert await tab.text("#outcome") == "No answer The request could not be sent, or nobody answers."
    assert await tab.ask("faults") == []


async def test_the_code_in_the_tabs(world: World, browser: Chromium) -> None:
    """It is what the server's own templates give, and it works when it is run."""
    tab = await Tab.open(browser, f"{world.base_url}/docs/")
    url = f"{world.base_url}/v26.0/me/calls"
    for action in Action:
        await tab.choose("#action", action.value)
        body = examples.REQUESTS[action].body
        for place, authorization, query in (
            ("Authorization", f"Bearer {TOKEN}", ""),
            ("oauth_token", None, f"?oauth_token={TOKEN}"),
        ):
            await tab.choose("#place", place)
            for snippet in SNIPPETS:
                assert await tab.text(f"#panel-{snippet.id} code") == fill(snippet, url + query, authorization, body), action

    await tab.choose("#place", "Authorization")
    await tab.type("#body", json.dumps({"action": "reject", "call_id": "it's 'x' \"y\" \\ é", "n": [None, True, [], {}]}))
    await tab.ask('document.querySelector("#tab-curl").focus()')
    seen = []
    for _ in SNIPPETS:
        seen += await tab.ask(f"{PANELS}.filter((each) => each.checkVisibility()).map((each) => each.dataset.language)")
        assert await tab.ask("document.activeElement.getAttribute('aria-selected')") == "true"
        await tab.press("ArrowRight")
    assert seen == [snippet.id for snippet in SNIPPETS]

    token = world.app.token
    script = (await tab.text("#panel-javascript code")).replace(TOKEN, token)
    ran = await tab.ask(
        f"(async () => {{ let said; const console = {{ log: (...all) => said = all }};\n{script}\nreturn said; }})()"
    )
    assert (ran[0], ran[1]["code"]) == (400, 2018390)
    python = (await tab.text("#panel-python code")).replace(TOKEN, token)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", python, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert printed.decode().startswith("400 {'error': {'message': '(#2018390)")
    assert await tab.ask("faults") == []


async def test_what_is_copied(world: World, browser: Chromium) -> None:
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    await browser.command("Browser.grantPermissions", {"permissions": permissions, "origin": world.base_url})
    tab = await Tab.open(browser, f"{world.base_url}/docs/v22.0/")
    await tab.ask('document.querySelector("#copy-markdown").click()')
    await tab.until('document.querySelector("#copied").textContent === "Copied"')
    async with world.http.get(f"{world.base_url}/docs/v22.0/page-calls.md") as response:
        assert await tab.ask("navigator.clipboard.readText()") == await response.text()

    await tab.ask('document.querySelector("#tab-python").click(); document.querySelector("#copied").textContent = ""')
    await tab.ask('document.querySelector("#copy-code").click()')
    await tab.until('document.querySelector("#copied").textContent === "Copied"')
    assert await tab.ask("navigator.clipboard.readText()") == await tab.text("#panel-python code")
    assert await tab.ask("faults") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_nothing_sticks_out(world: World, browser: Chromium, scheme: str) -> None:
    tab = await Tab.open(browser, f"{world.base_url}/docs/")
    await tab.command("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    await tab.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await tab.ask('for (const each of document.querySelectorAll("details")) each.open = true')
    assert await tab.ask("document.documentElement.scrollWidth") <= 360
    back = await tab.ask("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in back[4:-1].split(",")) > 384) == (scheme == "light")
    assert await tab.ask("faults") == []


async def test_a_foreign_page_gets_nothing(world: World) -> None:
    for path in ("/docs/", "/docs/page-calls.md", "/docs/static/page.js"):
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            async with aiohttp.ClientSession() as http, http.get(world.base_url + path, headers=headers) as response:
                assert response.status == 403
