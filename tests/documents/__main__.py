"""`make pages`: writes the generated parts of every page again."""

from tests.documents.generated import PROMETHEUS_RULE, parts_of, prometheus_rule
from tests.documents.pages import pages, with_parts

for page in pages():
    text = with_parts(page, parts_of(page))
    if text != page.text:
        page.path.write_text(text, encoding="utf-8")
        print(page.name)  # noqa: T201

PROMETHEUS_RULE.write_text(prometheus_rule(), encoding="utf-8")
