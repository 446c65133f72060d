-- +goose Up
INSERT INTO products (id, name, description, category, price_cents, currency, stock) VALUES
    ('oak-desk', 'Oak desk', 'Solid oak, oiled by hand, with a drawer that runs without a sound. 140 by 70 cm.', 'Furniture', 24900, 'EUR', 10000),
    ('linen-chair', 'Linen chair', 'A seat of washed linen on a frame of beech. Holds its shape, and a long evening.', 'Furniture', 12900, 'EUR', 10000),
    ('desk-lamp', 'Desk lamp', 'Warm light where the work is. The arm stays where it is put; the shade is spun steel.', 'Lighting', 6900, 'EUR', 10000),
    ('wall-clock', 'Wall clock', 'Large figures, a silent movement, and a case of powder-coated aluminium. 30 cm across.', 'Home', 4900, 'EUR', 10000),
    ('wool-blanket', 'Wool blanket', 'New wool from one mill, woven in a herringbone. 130 by 180 cm, heavy enough for winter.', 'Home', 8900, 'EUR', 10000),
    ('tea-pot', 'Tea pot', 'Stoneware with a glaze like wet sand. Pours without a drip, holds a litre.', 'Kitchen', 3900, 'EUR', 10000),
    ('coffee-mug', 'Coffee mug', 'Thrown, not cast, so no two are quite alike. 300 ml; the dishwasher does not mind it.', 'Kitchen', 1400, 'EUR', 10000),
    ('plant-pot', 'Plant pot', 'Unglazed terracotta that lets roots breathe, with a saucer. 18 cm across.', 'Home', 1900, 'EUR', 10000),
    ('paper-notebook', 'Paper notebook', '192 dotted pages that take ink well, thread-sewn, so it lies flat on any of them.', 'Stationery', 1200, 'EUR', 10000),
    ('fountain-pen', 'Fountain pen', 'A steel nib, a body of brushed brass, and a converter, so that any ink will do.', 'Stationery', 5900, 'EUR', 10000),
    ('canvas-bag', 'Canvas bag', 'Waxed canvas with leather handles. Carries a laptop, the shopping, or both.', 'Home', 4500, 'EUR', 10000),
    ('bread-board', 'Bread board', 'End-grain maple with a groove for crumbs. Oil it twice a year and leave it to somebody.', 'Kitchen', 3400, 'EUR', 10000);

-- +goose Down
DELETE FROM products;
