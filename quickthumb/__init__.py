"""QuickThumb: a self-hosted image service. Upload over HTTP; workers make the thumbnails."""

__version__ = "0.1.0"
