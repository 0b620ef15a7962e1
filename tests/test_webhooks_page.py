"""The code that `docs/webhooks.md` gives to receivers verifies what it should, and nothing else."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kuajie.workflows.webhooks import KINDS, LONGEST_BODY, signed

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, ID, AT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
BODY, SIGNATURE = '{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
CHINESE = '{"城市": "上海"}'


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def case(good: bool, body: str = BODY, secret: str = SECRET, now: float = AT, **headers: str) -> dict[str, Any]:
    told = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": SIGNATURE}
    told.update({f"webhook-{name}": value for name, value in headers.items()})
    return {"secret": secret, "headers": told, "body": body, "now": now, "good": good}


CASES = [
    case(True),
    case(True, now=AT + 299),
    case(True, signature=f"v1a,x v1,aaaa {SIGNATURE}"),
    case(True, body=CHINESE, signature=signed(SECRET, ID, AT, CHINESE.encode())),
    case(False, now=AT + 301),
    case(False, now=AT - 301),
    case(False, body=BODY + " "),
    case(False, id="msg_other"),
    case(False, timestamp=str(AT + 1)),
    case(False, timestamp="-1"),
    case(False, timestamp="abc"),
    case(False, signature=""),
    case(False, signature="v1," + "A" * 43 + "="),
    case(False, signature="v1,签名"),
    case(False, secret="whsec_" + "A" * 32),
]


def test_the_python_code() -> None:
    names: dict[str, Any] = {}
    exec(code("python"), names)  # the page's own
    for each in CASES:
        given = names["verify"](each["secret"], each["headers"], each["body"].encode(), each["now"])
        assert given is each["good"], each


def test_the_node_code(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED on this machine: webhooks' code for Node (node is missing)")
    ask = "console.log(JSON.stringify(cases.map((c) => verify(c.secret, c.headers, Buffer.from(c.body), c.now))));"
    program = tmp_path / "verify.js"
    program.write_text(f"{code('javascript')}\nconst cases = {json.dumps(CASES)};\n{ask}\n", encoding="utf-8")
    said = subprocess.run([node, program], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == [each["good"] for each in CASES]


def test_the_page_names_every_notice() -> None:
    assert set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", PAGE, flags=re.MULTILINE)) == set(KINDS)
    assert f"{LONGEST_BODY:,} bytes" in PAGE
