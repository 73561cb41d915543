"""HDR gain maps: small pictures in a file, which say how much brighter each part of its picture is on an HDR screen."""
