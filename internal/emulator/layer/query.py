"""Reading requests and writing answers of AWS's Query protocol (form in, XML out)."""

from xml.sax.saxutils import escape


def value(params, name, default=""):
    """One form value; ministack hands them over as lists."""
    found = params.get(name, default)
    if isinstance(found, list):
        return found[0] if found else default
    return found


def flag(params, name):
    """Whether a boolean parameter was sent as true."""
    return value(params, name) == "true"


def numbered(params, prefix):
    """The values of ``prefix.1``, ``prefix.2``, … up to the first that is missing."""
    found = []
    while item := value(params, f"{prefix}.{len(found) + 1}"):
        found.append(item)
    return found


def members(params, name):
    """The values of a list parameter: ``name.member.1``, ``name.member.2``, …"""
    return numbered(params, f"{name}.member")


def structures(params, name):
    """A list of structures, ``name.member.N.…``, as dictionaries and lists."""
    prefix = f"{name}.member."
    tree = {}
    for parameter in params:
        if parameter.startswith(prefix):
            _insert(tree, parameter.removeprefix(prefix).split("."), value(params, parameter))
    return [_fold(tree[index]) for index in sorted(tree, key=int)]


def _insert(tree, path, leaf):
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
    tree[path[-1]] = leaf


def _fold(node):
    if not isinstance(node, dict):
        return node
    if set(node) == {"member"}:
        items = node["member"]
        return [_fold(items[index]) for index in sorted(items, key=int)]
    return {key: _fold(child) for key, child in node.items()}


def element(tag, content):
    """One XML element: text is escaped, structures and lists are nested."""
    return f"<{tag}>{render(content)}</{tag}>"


def render(content):
    """The inside of an element. Members that are None or start with _ are left out."""
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, dict):
        return "".join(
            element(key, child)
            for key, child in content.items()
            if child is not None and not key.startswith("_")
        )
    if isinstance(content, (list, tuple)):
        return "".join(element("member", child) for child in content)
    return escape(str(content))
