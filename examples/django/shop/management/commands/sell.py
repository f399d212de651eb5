"""A release of the shop at work: it adds an item every second, and lists what there is, by the fields that it knows."""

import time

from django.core.management.base import BaseCommand

from shop.models import Item, version


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--times", type=int, default=3600)

    def handle(self, *, times, **options):
        for number in range(times):
            field = "name" if version < (1, 1, 0) else "title"
            item = Item.objects.create(**{field: f"item {number} of {version}"})
            self.stdout.write(f"{Item.objects.count()} items, the last: {getattr(item, field)}")
            time.sleep(1 if times > 1 else 0)
