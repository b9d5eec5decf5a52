"""The project's own images, built on this machine: by Docker where an engine answers, else by buildah.

``build_images()`` returns their names and archives. Standard library only.
"""

from harness.image.build import Image, Images, build_image, build_images

__all__ = ["Image", "Images", "build_image", "build_images"]
