import thumbnails
from django.shortcuts import render


class ThumbnailErrors:
    """Shows the errors of QuickThumb to the user, whichever view raised them."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        if isinstance(error, thumbnails.Refused):
            return render(request, "photos/index.html", {"message": str(error)}, status=error.status)
        if isinstance(error, thumbnails.Unavailable):
            page = render(request, "photos/index.html", {"message": str(error)}, status=503)
            page.headers["Retry-After"] = str(error.retry_after)
            return page
        return None
