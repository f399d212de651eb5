from django.db import migrations, models

# Whoever writes one of the two columns has the other one follow, so that every release reads what every other one wrote.
KEEP_IN_STEP = """
CREATE FUNCTION shop_item_in_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.title := coalesce(NEW.title, NEW.name);
        NEW.name := coalesce(NEW.name, NEW.title);
    ELSIF NEW.title IS DISTINCT FROM OLD.title THEN
        NEW.name := NEW.title;
    ELSIF NEW.name IS DISTINCT FROM OLD.name THEN
        NEW.title := NEW.name;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER shop_item_in_step BEFORE INSERT OR UPDATE ON shop_item
FOR EACH ROW EXECUTE FUNCTION shop_item_in_step();
"""


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("item", "title", models.CharField(max_length=100, null=True)),
        migrations.RunSQL(KEEP_IN_STEP),
    ]
