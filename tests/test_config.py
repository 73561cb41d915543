import json
import math
import os
import platform
import re
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from redis.asyncio.connection import SSLConnection

from quickthumb.config import LONGEST_SOCKET_PATH_BYTES, SETTINGS, Config, ConfigError, load
from quickthumb.config.redis_url import connection_options, place_of
from quickthumb.model.limits import Limits
from quickthumb.model.retention import Retention

WriteSettings = Callable[[str], dict[str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without the checkout's settings.py."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def settings(tmp_path: Path) -> WriteSettings:
    """Writes a settings file to another folder, and returns the environment that names it."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "elsewhere" / "site.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return {"QUICKTHUMB_SETTINGS": str(path)}

    return write


def test_without_anything_the_defaults_hold(folder: Path) -> None:
    config = load({})
    assert (config.web.host, config.web.port, config.storage.data_dir) == ("127.0.0.1", 8000, folder / "data")
    assert config.redis.url is None


def test_the_file_goes_before_the_defaults_and_the_environment_before_the_file(settings: WriteSettings) -> None:
    named = settings("PORT = 9001\nMAX_PIXELS = 5\n")
    config = load({**named, "QUICKTHUMB_PORT": "9002"})
    assert (config.web.port, config.imaging.max_pixels, config.web.host) == (9002, 5, "127.0.0.1")


def test_the_working_directory_s_file_is_read(folder: Path) -> None:
    (folder / "settings.py").write_text("PORT = 9001")
    assert load({}).web.port == 9001


def test_a_named_file_goes_before_the_working_directory_s(folder: Path, settings: WriteSettings) -> None:
    (folder / "settings.py").write_text("PORT = 9001\nMAX_PIXELS = 5")
    config = load(settings("PORT = 9002"))
    assert (config.web.port, config.imaging) == (9002, load({"QUICKTHUMB_SETTINGS": os.devnull}).imaging)


FOREIGN = {
    "django": ("import os\nDEBUG = True\nINSTALLED_APPS = []\n", r"^DEBUG \(from {path}\) is not a setting\."),
    "some names are ours": ("REDIS_URL = 'redis://x'\nSECRET_KEY = 'x'\n", r"^SECRET_KEY \(from {path}\) is not"),
    "a class": ("class Settings:\n    PORT = 9001\n", r"^{path} sets nothing that is a setting\."),
    "another module's names": ("from elsewhere import *\n", r"^{path} sets nothing that is a setting\."),
    "under a condition": ("if True:\n    A, B = 1, 2\n", r"^A \(from {path}\) is not a setting\."),
    "a misspelling": ("PROT = 9001\n", r"^PROT \(from {path}\) is not a setting\. Did you mean PORT\?"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_project_s_settings_are_not_run_and_a_sentence_says_what_to_do(folder: Path, kind: str) -> None:
    text, start = FOREIGN[kind]
    path, mark = folder / "settings.py", folder / "was run"
    path.write_text(f"{text}\nopen({str(mark)!r}, 'w')\n")
    rest = r".* If that file belongs to another project, set QUICKTHUMB_SETTINGS to .*, or to /dev/null for none\.$"
    with pytest.raises(ConfigError, match=start.replace("{path}", re.escape(str(path))) + rest):
        load({})
    assert not mark.exists()
    assert load({"QUICKTHUMB_SETTINGS": os.devnull}).web.port == 8000


@pytest.mark.parametrize("text", ["", "# PORT = 9001\n", '"""The settings of this deployment."""\n'])
def test_a_file_without_any_code_sets_nothing(folder: Path, text: str) -> None:
    (folder / "settings.py").write_text(text)
    assert load({}).web.port == 8000


def test_a_broken_file_in_the_working_directory_is_a_mistake(folder: Path) -> None:
    (folder / "settings.py").write_text("PORT =")
    with pytest.raises(ConfigError, match=r"Could not read settings\.py: SyntaxError"):
        load({})


def test_a_named_file_that_is_missing_is_a_mistake(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"Could not read site\.py: FileNotFoundError"):
        load({"QUICKTHUMB_SETTINGS": str(folder / "site.py")})


def test_a_file_that_is_not_python_is_a_mistake(settings: WriteSettings) -> None:
    with pytest.raises(ConfigError, match=r"Could not read site\.py: SyntaxError"):
        load(settings("PORT ="))


def test_names_that_are_not_in_capitals_are_the_file_s_own(settings: WriteSettings) -> None:
    assert load(settings("import os\nbase = 9000\nPORT = base + 1")).web.port == 9001


def test_a_secret_may_lie_in_a_file(folder: Path) -> None:
    (folder / "secret").write_text("redis://:hush@example/0\n")
    config = load({"QUICKTHUMB_REDIS_URL_FILE": str(folder / "secret")})
    assert config.redis_connection_url == "redis://:hush@example/0"
    assert "hush" not in repr(config)


def test_a_secret_s_file_that_is_missing_is_a_mistake(folder: Path) -> None:
    with pytest.raises(ConfigError, match="QUICKTHUMB_REDIS_URL_FILE: could not read the file"):
        load({"QUICKTHUMB_REDIS_URL_FILE": str(folder / "secret")})


def test_a_misspelt_name_is_a_mistake_with_a_suggestion(settings: WriteSettings) -> None:
    with pytest.raises(ConfigError, match=r"from QUICKTHUMB_PROT\) is not a setting. Did you mean PORT\?"):
        load({"QUICKTHUMB_PROT": "8000"})
    with pytest.raises(ConfigError, match=r"MAX_PIXEL \(from site\.py\) is not a setting. Did you mean MAX_PIXELS\?"):
        load(settings("MAX_PIXEL = 5"))
    with pytest.raises(ConfigError, match=r"is not a setting\.$"):
        load({"QUICKTHUMB_ZZZZ": "1"})


def service_links(name: str, host: str = "10.0.0.1") -> dict[str, str]:
    """What Kubernetes sets for a Service with two ports, one of them named."""
    link = f"[{host}]" if ":" in host else host
    variables = {
        "SERVICE_HOST": host,
        "SERVICE_PORT": "8000",
        "SERVICE_PORT_HTTP": "8000",
        "PORT": f"tcp://{link}:8000",
    }
    for port, protocol in ((8000, "tcp"), (53, "udp")):
        prefix = f"PORT_{port}_{protocol.upper()}"
        variables |= {
            prefix: f"{protocol}://{link}:{port}",
            f"{prefix}_PROTO": protocol,
            f"{prefix}_PORT": str(port),
            f"{prefix}_ADDR": host,
        }
    return {f"{name}_{variable}": value for variable, value in variables.items()}


@pytest.mark.parametrize("host", ["10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("service", ["QUICKTHUMB", "QUICKTHUMB_REDIS", "QUICKTHUMB_WEB_2", "QUICKTHUMB_SMTP"])
def test_the_variables_that_kubernetes_sets_for_services_are_not_settings(service: str, host: str) -> None:
    assert load(service_links(service, host)) == load({})


def test_a_port_that_is_a_number_stays_the_setting_beside_services() -> None:
    links = service_links("QUICKTHUMB_REDIS")
    config = load({**links, "QUICKTHUMB_PORT": "9001", "QUICKTHUMB_SERVICE_PORT_FILE": "9002"})
    assert config.web.port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [("SERVICE_HOST", "quickthumb.example"), ("PORT_8000", "tcp://10.0.0.1:8000"), ("PROT", "tcp://10.0.0.1:8000")],
)
def test_what_only_resembles_a_service_is_a_mistake(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"from QUICKTHUMB_{name}\) is not a setting"):
        load({f"QUICKTHUMB_{name}": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("MAX_PIXELS", "0"),
        ("MAX_UPLOAD_BYTES", "64MB"),
        ("LEASE_SECONDS", "0.5"),
        ("REDIS_URL", "http://example"),
    ],
)
def test_a_value_that_is_not_valid_is_a_mistake_that_names_its_origin(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} \(from the environment\): .*\.$"):
        load({f"QUICKTHUMB_{name}": value})


def test_other_variables_are_none_of_its_business() -> None:
    assert load({"PORT": "1", "QUICKTHUMBS": "x"}).web.port == 8000


def test_an_empty_address_of_redis_is_none() -> None:
    assert load({"QUICKTHUMB_REDIS_URL": ""}).redis.url is None


def test_it_cannot_be_changed() -> None:
    config = load({})
    with pytest.raises(FrozenInstanceError):
        config.web.port = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        config.compat = ()  # type: ignore[misc]


def test_every_setting_is_found_in_its_section_by_its_flat_name() -> None:
    config = Config()
    for setting in SETTINGS.values():
        section = config if setting.section is None else getattr(config, setting.section)
        assert hasattr(section, setting.field)
        assert setting.meaning.endswith(".")
        assert not setting.name.endswith("_file")  # which would be ambiguous in the environment


def test_a_section_is_what_its_part_takes() -> None:
    config = Config.of(max_pixels=5, upload_idle_seconds=1.5, max_fields="7")
    assert config.imaging == Limits(max_pixels=5)
    assert (config.intake.idle_seconds, config.intake.max_fields) == (1.5, 7)
    with pytest.raises(KeyError):
        Config.of(idle_seconds=1)


def test_a_value_of_a_setting_whose_field_is_called_otherwise_is_named_by_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"^UPLOAD_IDLE_SECONDS \(from the environment\): "):
        load({"QUICKTHUMB_UPLOAD_IDLE_SECONDS": "0"})
    with pytest.raises(ConfigError, match=r"^IDLE_SECONDS \(from QUICKTHUMB_IDLE_SECONDS\) is not a setting"):
        load({"QUICKTHUMB_IDLE_SECONDS": "1"})


def test_the_socket_lies_in_the_data_folder() -> None:
    config = Config.of(data_dir=Path("/srv/data"))
    assert config.embedded_redis_socket == Path("/srv/data/redis/redis.sock")
    assert config.redis_connection_url == "unix:///srv/data/redis/redis.sock"
    assert Config.of(data_dir=Path("/srv/C#")).redis_connection_url == "unix:///srv/C%23/redis/redis.sock"


@pytest.mark.parametrize("name", ["x" * 200, "é" * 60])
def test_a_data_folder_with_a_long_path_has_its_socket_elsewhere(name: str) -> None:
    long = Config.of(data_dir=Path("/") / name)
    socket = long.embedded_redis_socket
    assert socket.is_relative_to(tempfile.gettempdir())
    assert len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH_BYTES
    assert socket == Config.of(data_dir=Path("/") / name).embedded_redis_socket
    assert socket != Config.of(data_dir=Path("/") / (name + "y")).embedded_redis_socket
    assert not socket.parent.exists()


def test_a_relative_data_folder_is_made_absolute_and_a_tilde_is_home(folder: Path) -> None:
    assert Config.of(data_dir=Path("pictures")).storage.data_dir == folder / "pictures"
    assert Config.of(data_dir=Path("~/pictures")).storage.data_dir == Path.home() / "pictures"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "redis://:secret@localhost:port",
        "redis://:secret@localhost:70000",
        "redis://:secret@localhost/first",
        "redis://:secret/word@localhost",
        "redis://:secret@[localhost",
        "unix:///run/redis.sock?db=secret",
    ],
)
def test_a_redis_url_that_leads_nowhere_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"QUICKTHUMB_REDIS_URL": url})
    assert str(caught.value).startswith("REDIS_URL (from the environment): ")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://", "rediss://u:p%40ss@host:6380/2", "redis://host?db=3", "unix:///a.sock?db=1"]
)
def test_a_redis_url_that_can_be_read_is_taken(url: str) -> None:
    assert load({"QUICKTHUMB_REDIS_URL": url}).redis_connection_url == url


def test_presets_come_beside_the_built_in_ones(settings: WriteSettings) -> None:
    config = load(settings("PRESETS = {'thumbnail': [{'width': 50}], 'card': [{'width': 600}]}"))
    assert config.presets["thumbnail"] == [{"width": 50}]
    assert config.presets["card"] == [{"width": 600}]
    assert {"square-32-64", "gray-blur"} < config.presets.keys()


def test_presets_are_json_in_the_environment() -> None:
    assert load({"QUICKTHUMB_PRESETS": '{"card": [{"width": 600}]}'}).presets["card"] == [{"width": 600}]
    with pytest.raises(ConfigError, match=r"^PRESETS \(from the environment\): .*must be JSON"):
        load({"QUICKTHUMB_PRESETS": "card"})


@pytest.mark.parametrize(
    ("presets", "place"), [("{'card': 5}", r"\['card'\]"), ("{'card': [5]}", r"\['card'\]\[0\]"), ("5", "")]
)
def test_presets_of_another_shape_are_a_mistake_that_says_where(
    settings: WriteSettings, presets: str, place: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^PRESETS{place} \(from site\.py\): "):
        load(settings(f"PRESETS = {presets}"))


def test_a_list_is_written_with_commas_in_the_environment(settings: WriteSettings) -> None:
    config = load({**settings("COMPAT = ['task-queue']"), "QUICKTHUMB_EMAIL_ALLOWED": "*@a.example, b@example.com,"})
    assert config.compat == ("task-queue",)
    assert config.email.allowed == ("*@a.example", "b@example.com")
    assert load({"QUICKTHUMB_COMPAT": ""}).compat == ()


@pytest.mark.parametrize("pattern", ["example.com", "*example.com", "a@b@c"])
def test_a_pattern_of_half_an_address_is_a_mistake(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"^EMAIL_ALLOWED .* must be a pattern for whole addresses"):
        load({"QUICKTHUMB_EMAIL_ALLOWED": pattern})


@pytest.mark.parametrize("pattern", ["ada@mail?.example.com", "*@mail[12].example.com", "*@exämple.com", "a%b@c.com"])
def test_a_pattern_that_matches_no_address_is_a_mistake(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"^EMAIL_ALLOWED .* matches no address.* only \* stands for"):
        load({"QUICKTHUMB_EMAIL_ALLOWED": pattern})


@pytest.mark.parametrize(("given", "missing"), [("SMTP_USER", "SMTP_PASSWORD"), ("SMTP_PASSWORD", "SMTP_USER")])
def test_half_a_login_is_a_mistake(given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"^{missing} ") as caught:
        load({f"QUICKTHUMB_{given}": "hush"})
    assert "hush" not in str(caught.value)


def test_the_mail_server_s_password_may_lie_in_a_file_and_is_not_shown(folder: Path) -> None:
    (folder / "secret").write_text("hush\n")
    config = load({"QUICKTHUMB_SMTP_USER": "ada", "QUICKTHUMB_SMTP_PASSWORD_FILE": str(folder / "secret")})
    assert config.smtp.password is not None
    assert config.smtp.password.get_secret_value() == "hush"
    assert "hush" not in repr(config)


def test_a_mail_server_s_empty_settings_are_none() -> None:
    names = ("HOST", "PORT", "USER", "PASSWORD")
    smtp = load({f"QUICKTHUMB_SMTP_{name}": "" for name in names}).smtp
    assert [getattr(smtp, name.lower()) for name in names] == [None] * 4
    assert smtp.connection_port == 587


@pytest.mark.parametrize(
    "sender",
    [
        "a@example.com\r\nBcc: eve@example.com",
        "Robot\x0b <a@example.com>",
        "Robot\u2028 <a@b.c>",
        "QuickThumb",
        "",
        "Robot <>",
    ],
)
def test_a_sender_is_one_address_and_carries_no_other_header(sender: str) -> None:
    with pytest.raises(ConfigError, match=r"^SMTP_SENDER \(from the environment\): "):
        load({"QUICKTHUMB_SMTP_SENDER": sender})


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://host?socket_timout=3", "socket_timout is not an option of a Redis URL; did you mean socket_timeout?"),
        ("redis://host?socket_timeout=soon", "the option socket_timeout must be a number of seconds above 0"),
        ("redis://host?socket_timeout=", "the option socket_timeout must have a value"),
        ("redis://host?db=1&db=2", "the option db is there twice"),
        ("redis://host?ssl_cert_reqs=none", "options that begin with ssl_ need a URL that begins with rediss://"),
        ("rediss://host?ssl_ca_certs=/no/such.pem", "ssl_ca_certs names a file that is not there: /no/such.pem"),
        ("rediss://host?ssl_cert_reqs=maybe", "the option ssl_cert_reqs must be none, optional or required"),
        ("rediss://host?ssl_cert_reqs=none&ssl_check_hostname=true", "contradicts ssl_cert_reqs=none"),
        ("rediss://host?ssl_certfile=/etc/hosts", "ssl_certfile and ssl_keyfile go together"),
        ("redis://host?protocol=3", "the option protocol must be 2"),
        ("redis://host?decode_responses=true", "the option decode_responses is not for QuickThumb"),
        ("redis://host?max_connections=1", "the option max_connections must be a whole number, 4 or more"),
        ("redis://:pass#word@host", "special characters in a password %-encoded"),
        ("redis://host/-1", "must be whole numbers"),
    ],
)
def test_an_option_in_the_redis_url_that_cannot_be_honoured_is_refused_by_name(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"^REDIS_URL .*{re.escape(says)}"):
        load({"QUICKTHUMB_REDIS_URL": url})


def test_options_in_the_redis_url_reach_redis_py() -> None:
    options = connection_options(
        "rediss://u:p%40ss@host:6380/2?ssl_cert_reqs=CERT_NONE&socket_timeout=1.5&ssl_min_version=TLSv1.3"
        "&health_check_interval=30&socket_keepalive=yes&protocol=2&client_name=me&max_connections=9"
    )
    assert options == {
        "connection_class": SSLConnection,
        "host": "host",
        "port": 6380,
        "db": 2,
        "username": "u",
        "password": "p@ss",
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
        "ssl_min_version": ssl.TLSVersion.TLSv1_3,
        "socket_timeout": 1.5,
        "health_check_interval": 30,
        "socket_keepalive": True,
        "protocol": 2,
        "client_name": "me",
        "max_connections": 9,
    }
    assert connection_options("rediss://host")["ssl_check_hostname"] is True


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://:secret@host", "host:6379/0"),
        ("rediss://[::1]:6380/3", "[::1]:6380/3"),
        ("unix:///run/my%20redis.sock", "/run/my redis.sock"),
        ("unix:///run/redis.sock?db=5&password=secret", "/run/redis.sock, database 5"),
    ],
)
def test_a_redis_is_named_without_its_password(url: str, place: str) -> None:
    assert place_of(connection_options(url)) == place


def test_a_worker_is_named_after_its_host_unless_the_settings_say_otherwise() -> None:
    assert load({}).worker.own_name == platform.node()
    assert load({"QUICKTHUMB_WORKER_NAME": "left"}).worker.own_name == "left"
    with pytest.raises(ConfigError, match="WORKER_NAME"):
        load({"QUICKTHUMB_WORKER_NAME": "a b"})
    with pytest.raises(ConfigError, match="REDIS_PREFIX"):
        load({"QUICKTHUMB_REDIS_PREFIX": "every*"})


def test_hosts_and_proxies_are_lists() -> None:
    config = load({"QUICKTHUMB_ALLOWED_HOSTS": "images.example.org, *.cdn.example.org,*"})
    assert config.web.allowed_hosts == ("images.example.org", "*.cdn.example.org", "*")
    config = load({"QUICKTHUMB_TRUSTED_PROXIES": "10.0.0.0/8, ::1,unix"})
    assert config.web.trusted_proxies == ("10.0.0.0/8", "::1", "unix")
    assert load({}).web.allowed_hosts == load({}).web.trusted_proxies == ()


@pytest.mark.parametrize(
    "name",
    ["https://images.example.org", "images.example.org:8000", "a/b", "a.*", "**", "*a.example.org", "ä.org", "."],
)
def test_an_allowed_host_is_a_bare_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^ALLOWED_HOSTS .*without scheme, port and path"):
        load({"QUICKTHUMB_ALLOWED_HOSTS": name})


def test_cors_origins_are_kept_as_browsers_send_them() -> None:
    listed = "https://Shop.example.org:443, http://localhost:3000,https://*.example.net,http://[::1]:80,http://a:443"
    assert load({"QUICKTHUMB_CORS_ORIGINS": listed}).web.cors_origins == (
        "https://shop.example.org",
        "http://localhost:3000",
        "https://*.example.net",
        "http://[::1]",
        "http://a:443",
    )
    assert load({}).web.cors_origins == ()


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "shop.example.org",
        "https://shop.example.org/",
        "https://*",
        "https://*.org",
        "https://a.*.org",
        "ftp://a.org",
        "https://user@a.org",
        "https://a.org:port",
        "https://*.*.a.org",
    ],
)
def test_a_cors_origin_is_a_scheme_and_a_host(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"^CORS_ORIGINS .*must be an origin such as"):
        load({"QUICKTHUMB_CORS_ORIGINS": origin})


@pytest.mark.parametrize("word", ["proxy.example.org", "*", "10.0.0.1/8", "10.0.0.256"])
def test_a_trusted_proxy_is_an_address_or_a_network(word: str) -> None:
    with pytest.raises(ConfigError, match=rf"^TRUSTED_PROXIES .*'?{re.escape(word)}"):
        load({"QUICKTHUMB_TRUSTED_PROXIES": word})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("604800", 604_800), ("30d", 30 * 86_400), ("12h", 43_200), ("forever", math.inf)],
)
def test_a_retention_time_is_a_number_or_a_length_of_time(text: str, seconds: float) -> None:
    config = load({"QUICKTHUMB_RETENTION_SECONDS": text, "QUICKTHUMB_SOURCE_RETENTION_SECONDS": text})
    assert (config.retention.job_seconds, config.retention.source_seconds) == (seconds, seconds)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e9", "40000d", "30 days", "never", ""])
def test_another_retention_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^RETENTION_SECONDS \(from the environment\): "):
        load({"QUICKTHUMB_RETENTION_SECONDS": text})
    named = json.dumps({"shop": {"retention_seconds": text}})
    with pytest.raises(ConfigError, match=r"^TENANTS\['shop'\]\['retention_seconds'\]"):
        load({"QUICKTHUMB_TENANTS": named})


def test_a_tenant_has_its_own_times_and_otherwise_those_for_all() -> None:
    tenants = {"shop": {"retention_seconds": "forever"}, "zoo": {"source_retention_seconds": 0}, "inn": {}}
    policy = Config.of(retention_seconds="2d", source_retention_seconds="1d", tenants=tenants).retention_policy
    two_days, one_day = 2 * 86_400, 86_400
    assert policy.of("default") == policy.of("inn") == Retention(two_days, one_day)
    assert policy.of("shop") == Retention(math.inf, one_day)
    assert policy.of("zoo") == Retention(two_days, 0)
    assert policy.tenants.keys() == {"shop", "zoo"}
