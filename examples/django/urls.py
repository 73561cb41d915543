from django.urls import path
from photos import views

urlpatterns = [
    path("", views.index),
    path("photos", views.upload),
    path("photos/uploaded", views.uploaded),
    path("photos/<int:photo_id>", views.show, name="photo"),
    path("photos/<int:photo_id>/job", views.status),
]
