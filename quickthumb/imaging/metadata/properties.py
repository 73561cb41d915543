"""Which properties of XMP tell about rights, and which are not true of a changed picture any more."""

from quickthumb.imaging.hdr import packet
from quickthumb.imaging.metadata.xmp import NAMESPACES, Name


def _named(prefix: str, *local: str) -> frozenset[Name]:
    return frozenset((NAMESPACES[prefix], name) for name in local)


LABEL: Name = (NAMESPACES["Iptc4xmpExt"], "DigitalSourceType")
_RIGHTS = (
    _named("dc", "creator", "rights")
    | _named("photoshop", "Credit")
    | _named("xmpRights", "Marked", "Owner", "UsageTerms", "WebStatement")
    | _named("plus", "Licensor", "CopyrightOwner", "ImageCreator", "ImageSupplier")
    | _named("cc", "attributionName", "attributionURL", "license", "morePermissions", "useGuidelines")
    | _named("tiff", "Artist", "Copyright")
)
# Sizes and storage of the source's pixels, places in them, previews, links to what is not copied, and digests.
_STALE = (
    _named("tiff", "BitsPerSample", "Compression", "ImageLength", "ImageWidth", "NativeDigest", "Orientation")
    | _named("tiff", "PhotometricInterpretation", "PlanarConfiguration", "PrimaryChromaticities", "ReferenceBlackWhite")
    | _named("tiff", "SamplesPerPixel", "TransferFunction", "WhitePoint", "YCbCrCoefficients", "YCbCrPositioning")
    | _named("tiff", "YCbCrSubSampling")
    | _named("exif", "ComponentsConfiguration", "CompressedBitsPerPixel", "FocalPlaneResolutionUnit", "MakerNote")
    | _named("exif", "FocalPlaneXResolution", "FocalPlaneYResolution", "NativeDigest", "PixelXDimension")
    | _named("exif", "PixelYDimension", "SubjectArea", "SubjectLocation")
    | _named("photoshop", "ICCProfile", "LegacyIPTCDigest")
    | _named("xmp", "Thumbnails")
    | _named("xmpNote", "HasExtendedXMP")
    | _named("dcterms", "provenance")
)
_COLORS = _named("exif", "ColorSpace") | _named("photoshop", "ColorMode")
# Everything in these describes other pictures in the same file, or regions of its pixels: gain maps, depth maps,
# videos, faces.
_STALE_NAMESPACES = frozenset(
    {
        packet.GAIN_MAP,
        packet.APPLE_GAIN_MAP,
        "http://ns.google.com/photos/1.0/audio/",
        "http://ns.google.com/photos/1.0/camera/",
        packet.CONTAINER,
        packet.ITEM,
        "http://ns.google.com/photos/1.0/depthmap/",
        "http://ns.google.com/photos/1.0/image/",
        "http://ns.google.com/photos/dd/1.0/device/",
        "http://ns.microsoft.com/photo/1.2/",
        "http://www.metadataworkinggroup.com/schemas/regions/",
    }
)


def tells_rights(name: Name) -> bool:
    """Whether a property tells who made or owns the picture, or what may be done with it."""
    return name in _RIGHTS


def is_label(name: Name) -> bool:
    """Whether a property is the digital source type."""
    return name == LABEL


def is_stale(name: Name, *, keeps_colors: bool) -> bool:
    """Whether a property may be untrue of a changed picture. `keeps_colors`: its colors are those of the source."""
    return name in _STALE or name[0] in _STALE_NAMESPACES or (not keeps_colors and name in _COLORS)
