"""This deployment's values: NAME = value. The README's table lists every setting with its default.

The environment goes before this file: QUICKTHUMB_PORT=9000 beats PORT = 8000.
"""

# Named recipes: `preset=avatar` on POST /images/ makes these outputs. `thumbnail` (what is made when nothing is asked
# for), `square-32-64` and `gray-blur` are built in; a preset of the same name here takes their place.
PRESETS: dict[str, list[dict[str, object]]] = {
    # "avatar": [
    #     {"name": "small", "size": "64x64", "fit": "cover", "position": "smart"},
    #     {"name": "large", "size": "256x256", "fit": "cover", "position": "smart"},
    # ],
}
