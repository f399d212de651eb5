from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_title")]
    operations = [
        migrations.RunSQL("DROP TRIGGER shop_item_in_step ON shop_item; DROP FUNCTION shop_item_in_step();"),
        migrations.RemoveField("item", "name"),
    ]
