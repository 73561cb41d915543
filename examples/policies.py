import json
import os
import time
import uuid

from flask import Flask
from sign import policy  # sign.py, of "Signed URLs"

app = Flask(__name__)


@app.post("/upload-policy")
def upload_policy():  # ask here whether the user may upload
    outputs = [{"name": "thumbnail", "width": 200, "height": 200}]
    terms = {"expires": int(time.time()) + 600, "outputs": outputs, "max_bytes": 10_000_000, "id": uuid.uuid4().hex}
    return policy(json.dumps(terms), os.environ["URL_SECRET"])
