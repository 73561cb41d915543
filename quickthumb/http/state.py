"""What a request's handler finds on the application: the verbs and the metrics that the root put there."""

from typing import cast

from starlette.requests import Request

from quickthumb.metrics import WebMetrics
from quickthumb.service.emails import MailService
from quickthumb.service.jobs import ImageService


def service_of(request: Request) -> ImageService:
    return cast("ImageService", request.app.state.service)


def mail_of(request: Request) -> MailService:
    return cast("MailService", request.app.state.mail)


def metrics_of(request: Request) -> WebMetrics:
    return cast("WebMetrics", request.app.state.metrics)


def max_wait_seconds(request: Request) -> float:
    return cast("float", request.app.state.max_wait_seconds)
