"""What each release knows of an item. In a project each is a commit of its own; here SHOP_VERSION says which one runs."""

import os

from django.db import models

version = tuple(int(number) for number in os.environ.get("SHOP_VERSION", "1.2.0").split("."))


class Item(models.Model):
    if version < (1, 2, 0):
        name = models.CharField(max_length=100, null=True)
    if version >= (1, 1, 0):
        title = models.CharField(max_length=100, null=True)
