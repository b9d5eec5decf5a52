"""Builds the project's images on this machine: with Docker if an engine responds, or else with buildah.

``build_images()`` returns their names and archives. It uses the standard library only.
"""

from harness.image.build import Image, Images, build_image, build_images

__all__ = ["Image", "Images", "build_image", "build_images"]
