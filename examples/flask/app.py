"""A page with photos: uploads go to QuickThumb, and the table keeps the id of each photo's job."""

import os
import sqlite3

import thumbnails
from flask import Flask, abort, g, jsonify, redirect, render_template, request, url_for

app = Flask(__name__, static_folder="../static")
DATABASE = os.environ.get("DATABASE", "photos.db")


def photos():
    if "photos" not in g:
        g.photos = sqlite3.connect(DATABASE, isolation_level=None)
        g.photos.row_factory = sqlite3.Row
        g.photos.execute("CREATE TABLE IF NOT EXISTS photo (id INTEGER PRIMARY KEY, title TEXT, job_id TEXT UNIQUE)")
    return g.photos


@app.teardown_appcontext
def close(error):
    if "photos" in g:
        g.photos.close()


def add_photo(title, job):
    row = photos().execute("INSERT INTO photo (title, job_id) VALUES (?, ?)", (title, job["id"]))
    return url_for("show", photo_id=row.lastrowid)


def job_of(photo_id, wait_seconds=0):
    photo = photos().execute("SELECT * FROM photo WHERE id = ?", (photo_id,)).fetchone() or abort(404)
    return photo, thumbnails.find(photo["job_id"], wait_seconds)


@app.get("/")
def index():
    return render_template("index.html", photos=photos().execute("SELECT * FROM photo ORDER BY id DESC").fetchall())


@app.post("/photos")
def upload():
    """The form sends the picture here, and the server hands it on. It keeps no copy of its own."""
    picture = request.files["picture"]
    job = thumbnails.submit(picture.stream, picture.filename, size="200x200", fit="cover")
    return redirect(add_photo(request.form["title"], job))


@app.post("/photos/uploaded")
def uploaded():
    """The browser has sent the picture to QuickThumb itself, and tells the server the id of the job."""
    job = thumbnails.find(request.form["job_id"]) or abort(400, "There is no such job.")
    return jsonify(url=add_photo(request.form["title"], job))


@app.get("/photos/<int:photo_id>")
def show(photo_id):
    photo, job = job_of(photo_id)
    return render_template("photo.html", photo=photo, job=job, public=thumbnails.PUBLIC)


@app.get("/photos/<int:photo_id>/job")
def status(photo_id):
    """What the page of a photo asks until the thumbnail is there: it waits up to 10 s for the end of the job."""
    _, job = job_of(photo_id, wait_seconds=10)
    return jsonify(status=job["status"] if job else "REMOVED")


@app.errorhandler(thumbnails.Refused)
def refused(error):
    return render_template("index.html", message=str(error)), error.status


@app.errorhandler(thumbnails.Unavailable)
def unavailable(error):
    return render_template("index.html", message=str(error)), 503, {"Retry-After": str(error.retry_after)}
