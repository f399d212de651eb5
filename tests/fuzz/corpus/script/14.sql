SELECT 'a;b', "c;d", $$e;f$$, $x$g;$$h$x$; -- i;
/* j; /* k; */ */ SELECT 2;