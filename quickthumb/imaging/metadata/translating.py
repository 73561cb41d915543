"""Says what a format cannot hold in a way that it can. IPTC becomes XMP; authors and copyrights in EXIF, and the texts
of a PNG, become EXIF or XMP. What stands there already counts more.
"""

from collections.abc import Sequence

from quickthumb.imaging.formats.blocks import COMMENT, EXIF, IPTC, RESOLUTION, TEXTS
from quickthumb.imaging.metadata import iptc, png_texts, xmp_properties
from quickthumb.imaging.metadata.exif import ARTIST, COPYRIGHT
from quickthumb.imaging.metadata.selection import Selection

# Texts of a PNG, the tag of EXIF, and the property of XMP that say the same.
_TEXT_TAGS = {png_texts.AUTHOR: ARTIST, png_texts.COPYRIGHT: COPYRIGHT}
_TEXT_PROPERTIES = {
    png_texts.AUTHOR: ("dc:creator", "Seq"),
    png_texts.COPYRIGHT: ("dc:rights", "Alt"),
    "Title": ("dc:title", "Alt"),
    "Description": ("dc:description", "Alt"),
    "Software": ("xmp:CreatorTool", ""),
    "Source": ("dc:source", ""),
}
_COMMENT_TEXT = "Comment"
_SHOWN_NAMES, _SHOWN_LETTERS = 8, 40


def translate(selection: Selection) -> None:
    """Says what the format cannot hold in a way that it can."""
    holds = selection.encoder.holds
    _translate_texts(selection)
    if IPTC not in holds and selection.datasets:
        for key, texts in iptc.texts(selection.datasets).items():
            xmp_properties.add_property(selection.tree, *iptc.TO_XMP[key], texts)
        if lost := iptc.untranslatable(selection.datasets):
            selection.drop("some IPTC", f"{selection.format_name} holds no IPTC; left out: {_listed(lost)}.")
    if EXIF not in holds:
        _translate_exif(selection)
    if selection.comment and COMMENT not in holds:
        _translate_comment(selection)
    if selection.resolution is not None and RESOLUTION not in holds:
        if EXIF in holds:
            selection.exif.add_resolution(selection.resolution)
        else:
            selection.drop("resolution", f"{selection.format_name} holds no resolution; it was left out.")


def _translate_texts(selection: Selection) -> None:
    holds, lost = selection.encoder.holds, []
    for keyword, text in selection.texts:
        if EXIF in holds and keyword in _TEXT_TAGS:
            selection.exif.add_text(_TEXT_TAGS[keyword], text)
        elif TEXTS in holds:
            continue
        elif keyword in _TEXT_PROPERTIES:
            xmp_properties.add_property(selection.tree, *_TEXT_PROPERTIES[keyword], [text])
        elif keyword == _COMMENT_TEXT and COMMENT in holds:
            selection.comment = selection.comment or text.encode()
        else:
            lost.append(keyword)
    if lost:
        selection.drop("texts", f"{selection.format_name} holds no texts; left out: {_listed(lost)}.")


def _translate_exif(selection: Selection) -> None:
    texts = {keyword: text for keyword, tag in _TEXT_TAGS.items() if (text := selection.exif.text(tag))}
    for keyword, text in texts.items():
        xmp_properties.add_property(selection.tree, *_TEXT_PROPERTIES[keyword], [text])
    if selection.exif.says_more():
        lost = "only artist and copyright were kept, as XMP" if texts else "it was left out"
        selection.drop("EXIF", f"{selection.format_name} holds no EXIF; {lost}.")


def _translate_comment(selection: Selection) -> None:
    if TEXTS in selection.encoder.holds:
        selection.texts = [*selection.texts, (_COMMENT_TEXT, selection.comment.decode("latin-1"))]
    else:
        selection.drop("comment", f"{selection.format_name} holds no comment; it was left out.")


def _listed(names: Sequence[str]) -> str:
    """The first of some names that a file gives; those that cannot be shown count as others."""
    shown = [name for name in dict.fromkeys(names) if name.isprintable() and 0 < len(name) <= _SHOWN_LETTERS]
    others = ["others"] if len(shown) < len(set(names)) or len(shown) > _SHOWN_NAMES else []
    return ", ".join(shown[:_SHOWN_NAMES] + others)
