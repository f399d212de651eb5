UPDATE shop_item SET title = name WHERE id > :after AND id <= :upto AND title IS NULL;
