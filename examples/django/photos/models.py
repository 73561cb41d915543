import thumbnails
from django.db import models
from django.urls import reverse


class Photo(models.Model):
    """A photo. QuickThumb has the picture; this has the id of its job."""

    title = models.CharField(max_length=100)
    job_id = models.CharField(max_length=32, unique=True)

    def get_absolute_url(self):
        return reverse("photo", args=[self.pk])

    def job(self, wait_seconds=0):
        return thumbnails.find(self.job_id, wait_seconds)
