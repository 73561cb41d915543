import thumbnails
from django.http import HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from .models import Photo


@require_GET
def index(request):
    return render(request, "photos/index.html", {"photos": Photo.objects.order_by("-pk")})


@require_POST
def upload(request):
    """The form sends the picture here, and the server hands it on. It keeps no copy of its own."""
    picture = request.FILES["picture"]
    job = thumbnails.submit(picture.file, picture.name, size="200x200", fit="cover")
    return redirect(Photo.objects.create(title=request.POST["title"], job_id=job["id"]))


@require_POST
def uploaded(request):
    """The browser has sent the picture to QuickThumb itself, and tells the server the id of the job."""
    job = thumbnails.find(request.POST["job_id"])
    if job is None:
        return HttpResponseBadRequest("There is no such job.")
    photo = Photo.objects.create(title=request.POST["title"], job_id=job["id"])
    return JsonResponse({"url": photo.get_absolute_url()})


@require_GET
def show(request, photo_id):
    photo = get_object_or_404(Photo, pk=photo_id)
    return render(request, "photos/photo.html", {"photo": photo, "job": photo.job(), "public": thumbnails.PUBLIC})


@require_GET
def status(request, photo_id):
    """What the page of a photo asks until the thumbnail is there: it waits up to 10 s for the end of the job."""
    job = get_object_or_404(Photo, pk=photo_id).job(wait_seconds=10)
    return JsonResponse({"status": job["status"] if job else "REMOVED"})
