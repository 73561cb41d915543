"""The settings of this deployment: NAME = value. The README lists every setting with its default.

Environment variables take precedence: QUICKTHUMB_PORT=9000 overrides PORT = 8000.
"""

# Presets are named lists of outputs: `preset=avatar` on POST /images/ makes the outputs of `avatar`. `thumbnail` (the
# default), `square-32-64` and `gray-blur` are built in; a preset with one of these names replaces the built-in one.
PRESETS: dict[str, list[dict[str, object]]] = {
    # "avatar": [
    #     {"name": "small", "size": "64x64", "fit": "cover", "position": "smart"},
    #     {"name": "large", "size": "256x256", "fit": "cover", "position": "smart"},
    # ],
}
