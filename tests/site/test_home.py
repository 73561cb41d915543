"""The page `/`, in a real browser: from the choice of images to their results."""

import asyncio
import base64
import io
import json
import os
import re
import shlex
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from PIL import Image

from tests.conftest import http_client, picture, running_service
from tests.site.browser import NEEDS_BROWSER, Visit, barriers, new_page, running_browser

if TYPE_CHECKING:
    from playwright.async_api import Browser, FilePayload, Page, Request, Route

pytestmark = [NEEDS_BROWSER, pytest.mark.asyncio(loop_scope="module")]
SCRIPT = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
PHONE = {"width": 360, "height": 740}
# The page closes a stream of events whose jobs have ended, perhaps before the service does.
CLOSED_STREAM = re.compile(r"failed: http://[^/]+/events\?")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own: these tests fill its list of jobs."""
    with running_service(tmp_path_factory.mktemp("home"), url_allowed="https://images.example.org/") as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser() as browser:
        yield browser


@dataclass
class Home(Visit):
    """The page `/`, opened."""

    address: str

    def __init__(self, page: "Page", address: str) -> None:
        super().__init__(page)
        self.address = address
        page.set_default_timeout(20_000)

    async def open(self, hash_: str = "") -> "Home":
        await self.page.goto(f"{self.address}/{hash_}")
        await self.page.locator(".zone").wait_for()
        return self

    async def choose(self, *files: tuple[str, bytes]) -> None:
        chosen: list[FilePayload] = [
            {"name": name, "mimeType": "image/jpeg", "buffer": content} for name, content in files
        ]
        await self.page.set_input_files("#chooser", chosen)

    async def done(self, count: int = 1) -> None:
        await self.page.locator(".item .status[data-status=DONE]").nth(count - 1).wait_for()

    async def recipe(self) -> dict[str, Any]:
        """What the page would send, as its sample in JSON shows it."""
        await self.page.get_by_role("tab", name="JSON", exact=True).click()
        found: dict[str, Any] = json.loads(await self.page.locator(".sample code").inner_text())
        return found

    async def open_groups(self) -> None:
        await self.page.evaluate("() => document.querySelectorAll('.recipe details').forEach(one => one.open = true)")

    def unexpected(self) -> list[str]:
        """What the browser complained about, except that the page has closed a stream of events that had ended."""
        return [text for text in self.complaints if not CLOSED_STREAM.match(text)]


@pytest_asyncio.fixture(loop_scope="module")
async def home(browser: "Browser", address: str) -> AsyncIterator[Home]:
    async with new_page(browser) as page:
        yield Home(page, address)


async def test_a_chosen_image_is_uploaded_followed_and_shown(home: Home) -> None:
    await home.open()
    await home.choose(("photo.jpg", picture(800, 600)))
    await home.done()
    item = home.page.locator(".item")
    assert "800 × 600 · JPEG" in await item.inner_text()
    result = item.locator(".result")
    assert "640 × 480 · JPEG" in await result.inner_text()
    assert re.search(r"[−+]\d+\s?%", await result.inner_text())
    assert await result.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    assert home.unexpected() == []
    origins = {url.partition("/")[2].split("/")[1] for url in home.requested if url.startswith("http")}
    assert origins == {home.address.removeprefix("http://")}


async def test_several_images_can_be_dropped_and_saved_as_a_zip(home: Home) -> None:
    await home.open()
    drop = """([names, data]) => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
        for (const name of names) transfer.items.add(new File([bytes], name, { type: "image/png" }));
        for (const kind of ["dragover", "drop"])
            document.body.dispatchEvent(
                new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }),
            );
    }"""
    data = base64.b64encode(picture(60, 40, "PNG")).decode()
    await home.page.evaluate(drop, [["one.png", "two.png", "one.png"], data])
    await home.done(3)
    async with home.page.expect_download() as saved:
        await home.page.get_by_role("button", name="Download all (ZIP)").click()
    with zipfile.ZipFile(await (await saved.value).path()) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["one-thumbnail-2.png", "one-thumbnail.png", "two-thumbnail.png"]
        assert Image.open(io.BytesIO(archive.read("two-thumbnail.png"))).size == (60, 40)


async def test_an_image_can_be_pasted(home: Home) -> None:
    await home.open()
    paste = """(data) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], "image.png"));
        document.body.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }),
        );
    }"""
    await home.page.evaluate(paste, base64.b64encode(picture(50, 50, "PNG")).decode())
    await home.done()


async def test_refusals_are_told_in_words_at_the_file_and_can_be_tried_again(home: Home) -> None:
    await home.open()
    await home.choose(("notes.txt", b"These are notes."), ("good.jpg", picture(40, 30)))
    await home.done()
    refused = home.page.locator(".item", has_text="notes.txt")
    assert "Not accepted" in await refused.inner_text()
    assert len(await refused.get_by_role("alert").inner_text()) > 20
    await refused.get_by_role("button", name="Try again").click()
    await refused.get_by_role("alert").wait_for()
    await refused.get_by_role("button", name="Remove").click()
    await refused.wait_for(state="detached")


async def test_a_url_that_is_not_allowed_is_refused_in_words(home: Home) -> None:
    await home.open()
    await home.page.get_by_label("Or by URL").fill("https://elsewhere.example.org/a%20cat.jpg")
    await home.page.get_by_role("button", name="Fetch").click()
    item = home.page.locator(".item", has_text="a cat.jpg")
    await item.get_by_role("alert").wait_for()
    assert "fetches no images" in await item.get_by_role("alert").inner_text()
    await home.page.get_by_label("Or by URL").fill("no url")
    await home.page.get_by_role("button", name="Fetch").click()
    await home.page.get_by_text("Enter a whole URL").wait_for()


async def test_a_file_that_is_too_large_is_refused(home: Home) -> None:
    await home.open()
    await home.page.route(
        "**/images/", lambda route: problem(route, 413, "too_many_bytes", "The image has too many bytes.")
    )
    await home.choose(("huge.jpg", picture()))
    await home.page.get_by_text("The image has too many bytes.").wait_for()


async def test_a_lost_connection_resumes_by_itself_and_makes_one_job(home: Home) -> None:
    await home.open()
    keys: list[str] = []

    async def lost(route: "Route", request: "Request") -> None:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            await route.fetch()  # the service takes it, but its answer gets lost
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await home.page.route("**/images/", lost)
    await home.choose(("photo.jpg", picture(70, 50)))
    await home.page.get_by_text("The connection broke.").wait_for()
    await home.done()
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_service_that_was_away_is_told_and_waited_for(home: Home) -> None:
    await home.open()
    await home.page.context.set_offline(True)
    await home.choose(("photo.jpg", picture(74, 50)))
    await home.page.get_by_text("The connection broke.").wait_for()
    await home.page.get_by_text("The service cannot be reached.").wait_for()
    await home.page.context.set_offline(False)
    await home.done()
    await home.page.get_by_text("The service cannot be reached.").wait_for(state="hidden")
    assert [text for text in home.unexpected() if "DISCONNECTED" not in text and not text.startswith("failed: ")] == []


async def test_a_busy_service_is_asked_again_when_it_says(home: Home) -> None:
    await home.open()
    asked: list[str] = []

    async def busy(route: "Route", request: "Request") -> None:
        asked.append(request.url)
        if len(asked) == 1:
            await problem(route, 503, "queue_full", "Too many jobs wait.", {"Retry-After": "1"})
        else:
            await route.continue_()

    await home.page.route("**/images/", busy)
    await home.choose(("photo.jpg", picture(71, 50)))
    await home.page.get_by_text("Too many jobs wait.").wait_for()
    await home.done()


async def test_an_upload_shows_its_progress_and_can_be_cancelled(home: Home) -> None:
    await home.open()
    client = await home.page.context.new_cdp_session(home.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    await client.send("Network.emulateNetworkConditions", slow)
    await home.choose(("large.jpg", picture() + os.urandom(1_500_000)))
    item = home.page.locator(".item")
    await item.get_by_text(re.compile(r"\d+ ?% · .* of .*/s")).wait_for()
    await item.get_by_role("button", name="Cancel").click()
    await item.locator(".status", has_text="Cancelled").wait_for()
    assert await item.locator("progress").count() == 0 or await item.locator(".bar").is_hidden()


async def test_the_page_goes_on_when_streams_are_refused(home: Home) -> None:
    await home.page.route("**/events?*", lambda route: problem(route, 503, "streams_full", "Too many streams."))
    await home.open()
    await home.choose(("photo.jpg", picture(72, 50)))
    await home.done()


async def test_every_parameter_has_a_control_that_changes_the_request(home: Home) -> None:
    await home.open()
    await home.open_groups()
    async with http_client(home.address) as client:
        parameters = (await client.get("/parameters")).json()
    schemas = {name: schema for group in parameters["output"] for name, schema in group["parameters"].items()}
    schemas |= parameters["job"]
    del schemas["size"]  # width and height say it
    entered = {name: another_value(name, schema) for name, schema in schemas.items()}
    await home.page.evaluate(ENTER, {name: value for name, (value, _) in entered.items()})
    assert await home.recipe() == {name: shown for name, (_, shown) in entered.items()}
    assert await home.page.locator(".complaint:visible").count() == 0


ENTER = """(values) => {
    for (const [name, value] of Object.entries(values)) {
        const field = document.querySelector(`.control[data-name=${name}] :is(input, select, textarea)`);
        if (field.type === "checkbox") field.checked = value;
        else field.value = value;
        for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
    }
}"""


def another_value(name: str, schema: dict[str, Any]) -> tuple[Any, Any]:
    """A value that is not the default: as a user enters it, and as a request has it."""
    texts: dict[str, tuple[Any, Any]] = {
        "name": ("hero", "hero"),
        "crop": ("1,2,30,20", "1,2,30,20"),
        "context": ('{"a": 1}', {"a": 1}),
        "tag": ("one, two", ["one", "two"]),
        "run_at": ("2030-01-31T12:00", None),
        "dedupe": ("true", True),
    }
    if name == "run_at":
        return "2030-01-31T12:00", "2030-01-31T12:00:00.000Z"
    if name in texts:
        return texts[name]
    if "enum" in schema:
        value = next(one for one in schema["enum"] if one != schema.get("default"))
        return value, value
    if schema["type"] == "boolean":
        return not schema["default"], not schema["default"]
    if schema["type"] in ("integer", "number"):
        value = max(schema.get("minimum", 0), 2) if schema.get("default") != 2 else 3
        return str(value), value
    example = schema["examples"][0]
    return example, example


async def test_a_number_out_of_bounds_is_told_and_not_sent(home: Home) -> None:
    await home.open()
    width = home.page.get_by_label("Width", exact=True)
    await width.fill("20000")
    await home.page.locator(".control[data-name=width] .complaint").wait_for()
    assert (await home.recipe())["width"] == 640
    await width.fill("320")
    assert (await home.recipe())["width"] == 320
    assert await home.page.locator(".complaint:visible").count() == 0


async def test_a_recipe_is_in_the_url_and_comes_from_it(home: Home) -> None:
    await home.open()
    await home.page.get_by_label("Width", exact=True).fill("99")
    await home.page.get_by_role("button", name="square-32-64").click()
    shared = home.page.url
    assert "#recipe=" in shared
    await home.page.goto("about:blank")
    await home.page.goto(shared)
    await home.page.locator(".zone").wait_for()
    recipe = await home.recipe()
    assert recipe["preset"] == "square-32-64"
    assert recipe["outputs"][0]["width"] == 99
    await home.page.get_by_role("button", name="Reset").click()
    assert await home.recipe() == {"width": 640}
    assert "#" not in home.page.url


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "damaged"),
        ('{"outputs":[{"width":5,"hue":1,"fit":"none"}]}', "hue = 1, fit"),
        ('{"presets":["x"]}', "preset x"),
    ],
)
async def test_a_wrong_recipe_is_told_in_words(home: Home, given: str, said: str) -> None:
    await home.open(f"#recipe={quote(given)}")
    assert said in await home.page.locator(".notice.warn").inner_text()


async def test_several_widths_and_formats_are_made_at_once_and_compared(home: Home) -> None:
    await home.open()
    await home.page.get_by_text("Several widths and formats").click()
    await home.page.get_by_label("Widths in pixels").fill("100, 50")
    await home.page.get_by_label("webp", exact=True).check()
    await home.page.get_by_role("button", name="Make these outputs").click()
    await home.choose(("photo.jpg", picture(300, 200)))
    await home.done()
    names = await home.page.locator(".result b").all_inner_texts()
    assert names == ["w100", "w100-webp", "w50", "w50-webp"]

    await home.page.get_by_role("button", name="Compare w50-webp of photo.jpg").click()
    dialog = home.page.get_by_role("dialog")
    divide = dialog.get_by_role("slider")
    await divide.focus()
    await home.page.keyboard.press("ArrowRight")
    assert await divide.input_value() == "51"
    assert await dialog.locator(".clip").evaluate("one => getComputedStyle(one).clipPath") == "inset(0px 49% 0px 0px)"
    receipt = await dialog.locator(".receipt").inner_text()
    assert "WEBP at quality 80" in receipt
    assert "Removed" in receipt or "none" in receipt
    await dialog.get_by_role("button", name="100 %").click()
    assert await dialog.locator(".compare-frame").evaluate("one => one.getBoundingClientRect().width") == 50
    await dialog.get_by_label("Result", exact=True).select_option("w100")
    assert "JPEG" in await dialog.locator(".receipt").inner_text()
    await home.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")


async def test_source_and_result_lie_upon_each_other(home: Home) -> None:
    recipe = {"outputs": [{"width": 100, "height": 100, "fit": "cover", "position": "0,0"}]}
    await home.open(f"#recipe={quote(json.dumps(recipe))}")
    await home.choose(("wide.jpg", picture(400, 200)))
    await home.done()
    await home.page.get_by_role("button", name="Compare").click()
    before = home.page.locator("img.before")
    await before.evaluate("one => one.decode()")
    await home.page.wait_for_function("() => document.querySelector('img.before').style.width")
    assert await before.evaluate("one => [one.style.left, one.style.width, one.style.height]") == ["0%", "200%", "100%"]


async def test_a_source_that_cannot_be_shown_is_told(home: Home) -> None:
    await home.open()
    tiff = picture(60, 40, "TIFF")
    await home.choose(("scan.tif", tiff))
    await home.done()
    await home.page.get_by_role("button", name="Compare").click()
    await home.page.get_by_text("This browser cannot show the source, which is TIFF.").wait_for()


async def test_a_source_that_is_withheld_is_told(home: Home) -> None:
    await home.page.route(
        "**/original", lambda route: problem(route, 403, "original_withheld", "Its location cannot be removed.")
    )
    await home.open()
    await home.choose(("scan.tif", picture(61, 40, "TIFF")))
    await home.done()
    await home.page.get_by_role("button", name="Compare").click()
    await home.page.get_by_text("The source is not shown: Its location cannot be removed.").wait_for()


async def test_a_failed_job_says_why_and_can_be_tried_again(home: Home) -> None:
    await home.open()
    whole = picture(400, 300)
    await home.choose(("cut.jpg", whole[: len(whole) // 2]))
    failed = home.page.locator(".item", has_text="cut.jpg")
    await failed.locator(".status[data-status=FAILED]").wait_for()
    assert "cut" in await failed.get_by_role("alert").inner_text()
    async with home.page.expect_response(lambda answer: answer.url.endswith("/retry")) as retried:
        await failed.get_by_role("button", name="Try again").click()
    assert (await retried.value).status == 202
    await failed.get_by_role("alert").wait_for()


async def test_a_job_that_waits_can_be_cancelled(home: Home) -> None:
    await home.open(f"#recipe={quote(json.dumps({'outputs': [{'width': 50}], 'job': {'delay': 600}}))}")
    await home.choose(("later.jpg", picture(75, 50)))
    item = home.page.locator(".item")
    await item.get_by_text("begins").wait_for()
    await item.get_by_role("button", name="Cancel").click()
    await item.locator(".status[data-status=CANCELLED]").wait_for()


async def test_the_focal_point_and_the_crop_are_picked_on_the_picture(home: Home) -> None:
    recipe = {"outputs": [{"width": 100, "height": 100, "fit": "cover"}]}
    await home.open(f"#recipe={quote(json.dumps(recipe))}")
    await home.choose(("photo.jpg", picture(400, 200)))
    await home.done()
    stage = home.page.locator(".stage")
    await stage.scroll_into_view_if_needed()

    async def at(right: float, down: float) -> tuple[float, float]:
        await stage.scroll_into_view_if_needed()
        box = await stage.bounding_box()
        assert box is not None
        return box["x"] + box["width"] * right, box["y"] + box["height"] * down

    await home.page.mouse.click(*await at(0.25, 0.75))
    x, y = map(float, (await home.recipe())["position"].split(","))
    assert [x, y] == [pytest.approx(0.25, abs=0.02), pytest.approx(0.75, abs=0.02)]
    await home.page.locator(".focal").focus()
    await home.page.keyboard.press("ArrowRight")
    moved = float((await home.recipe())["position"].split(",")[0])
    assert moved == pytest.approx(x + 0.02, abs=0.001)

    await home.page.get_by_role("button", name="Crop", exact=True).click()
    await home.page.mouse.move(*await at(0.5, 0.5))
    await home.page.mouse.down()
    await home.page.mouse.move(*await at(0.9, 0.9))
    await home.page.mouse.up()
    crop = [int(number) for number in (await home.recipe())["crop"].split(",")]
    assert crop == [pytest.approx(number, abs=4) for number in (200, 100, 160, 80)]

    await home.page.get_by_role("button", name="Make again with this recipe").click()
    await home.done(2)
    assert await home.page.locator(".item").count() == 2
    assert "100 × 100" not in await home.page.locator(".result").first.inner_text()  # nothing is enlarged


async def test_an_image_comes_back_after_a_reload_and_can_be_deleted(home: Home) -> None:
    await home.open()
    await home.choose(("photo.jpg", picture(73, 50)))
    await home.done()
    await home.page.reload()
    await home.done()
    await home.page.get_by_role("button", name="Delete: photo.jpg").click()
    await home.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await home.page.locator(".item").wait_for(state="detached")
    await home.page.reload()
    await home.page.locator(".zone").wait_for()
    assert await home.page.locator(".item").count() == 0


async def test_the_samples_work_as_they_are_shown(home: Home, tmp_path: Path) -> None:
    recipe = {
        "presets": ["thumbnail"],
        "outputs": [{"name": "o", "width": 64, "background": "#fff"}],
        "job": {"context": {"say": "it's; @here"}, "tag": ["a", "b"]},
    }
    await home.open(f"#recipe={quote(json.dumps(recipe))}")
    (tmp_path / "photo.jpg").write_bytes(picture(90, 60))
    shown = {}
    for name in ("curl", "Python", "JSON"):
        await home.page.get_by_role("tab", name=name, exact=True).click()
        shown[name] = await home.page.locator(".sample code").inner_text()
    answer = json.loads(await ran(tmp_path, "/bin/sh", "-c", shown["curl"] + " -s"))
    assert answer["status"] == "DONE"
    assert (answer["context"], answer["tags"]) == ({"say": "it's; @here"}, ["a", "b"])
    await ran(tmp_path, sys.executable, "-c", shown["Python"])
    assert {path.name for path in tmp_path.iterdir()} == {"photo.jpg", "o.jpeg", "thumbnail.jpeg"}
    assert json.loads(shown["JSON"])["context"] == {"say": "it's; @here"}


async def test_the_sample_in_javascript_works_as_it_is_shown(home: Home) -> None:
    await home.open()
    await home.page.get_by_role("tab", name="JavaScript").click()
    code = await home.page.locator(".sample code").inner_text()
    data = base64.b64encode(picture(90, 60)).decode()
    run = f"""async () => {{
        const file = new Blob([Uint8Array.from(atob("{data}"), (one) => one.charCodeAt(0))]);
        {code}
        return job.status;
    }}"""
    assert await home.page.evaluate(run) == "DONE"


async def ran(folder: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, (shlex.join(words), said, complained)
    return said.decode()


async def test_nothing_that_comes_with_an_image_is_run(home: Home) -> None:
    recipe = {"outputs": [{"metadata": "keep", "width": 40}], "job": {"context": {"x": SCRIPT}}}
    await home.open(f"#recipe={quote(json.dumps(recipe))}")
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = SCRIPT
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "JPEG", exif=exif)
    name = SCRIPT.replace("/", "∕") + ".jpg"
    await home.choose((name, file.getvalue()))
    await home.done()
    assert name in await home.page.locator(".item h3").inner_text()
    await home.page.get_by_role("button", name="Compare").click()
    assert "onerror" in await home.page.locator(".receipt").inner_text()
    assert await home.page.title() == "QuickThumb"
    assert await home.page.locator("main script, main img[src=x]").count() == 0
    assert home.unexpected() == []


async def test_a_key_that_was_revoked_leads_to_the_login(home: Home) -> None:
    login = {"login": "done", "tenant": "default", "scopes": ["admin"]}

    async def session(route: "Route") -> None:
        await route.fulfill(json=login)

    await home.page.route("**/session", session)
    await home.open()
    await home.page.get_by_role("tab", name="curl").click()
    assert "Authorization: Bearer $QUICKTHUMB_KEY" in await home.page.locator(".sample code").inner_text()
    login["login"] = "needed"
    await home.page.route("**/images/", lambda route: problem(route, 401, "invalid_key", "The key is not valid."))
    await home.choose(("photo.jpg", picture()))
    await home.page.get_by_role("heading", name="Log in").wait_for()


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_everybody_can_use_every_view(home: Home, *, phone: bool) -> None:
    page = home.page
    await page.emulate_media(reduced_motion="reduce")  # colors must not be in between when axe-core looks
    if phone:
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await home.open()
    assert await barriers_in_both_schemes(page) == []
    await home.open_groups()
    await home.choose(("notes.txt", b"These are notes."), ("photo.jpg", picture(300, 200)))
    await home.done()
    await page.get_by_role("alert").wait_for()
    assert await barriers_in_both_schemes(page) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Compare thumbnail").click()
    await page.wait_for_function("() => document.querySelector('img.before').style.width")
    assert await barriers_in_both_schemes(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Delete: photo.jpg").click()
    await page.get_by_role("dialog").wait_for()
    assert await barriers_in_both_schemes(page) == []


async def barriers_in_both_schemes(page: "Page") -> list[str]:
    """Everything, and the contrast in the dark as well."""
    found = await barriers(page)
    await page.emulate_media(color_scheme="dark")
    found += await barriers(page, ["color-contrast"])
    await page.emulate_media(color_scheme="light")
    return found


async def test_the_page_is_small(address: str) -> None:
    async with http_client(address) as client:
        page = await client.get("/")
        urls = set(re.findall(r'(?:href|src)="([^"]*/assets/[^"]+)"', page.text))
        loaded = [await client.get(url) for url in urls]
        described = [await client.get(path) for path in ("/parameters", "/presets")]
    sizes = [answer.num_bytes_downloaded for answer in (page, *loaded, *described)]
    assert sum(sizes) < 100_000
    assert all(answer.status_code == 200 for answer in loaded)


async def problem(route: "Route", status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
    """Answers as the service would."""
    body = json.dumps({"status": status, "code": code, "title": code, "detail": detail})
    await route.fulfill(
        status=status, body=body, headers={"Content-Type": "application/problem+json", **(headers or {})}
    )
