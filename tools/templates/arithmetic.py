"""What a graph's number inputs are, where the graph alone tells."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
}
_FUNCTIONS: dict[str, Callable] = {
    "min": min,
    "max": max,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "int": int,
    "abs": abs,
}


def worked_out(expression: str, names: dict[str, Any]) -> Any:
    """The value of a line of arithmetic as ComfyMathExpression has; None where it is anything else."""
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body, names)
    except (SyntaxError, KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None


def _value(tree: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (int, float)):
        return tree.value
    if isinstance(tree, ast.Name):
        return _number(names[tree.id])
    if isinstance(tree, ast.BinOp):
        left, right = _value(tree.left, names), _value(tree.right, names)
        if isinstance(tree.op, ast.BitAnd):
            left, right = int(left), int(right)
        return _OPERATORS[type(tree.op)](left, right)
    if isinstance(tree, ast.UnaryOp):
        return _OPERATORS[type(tree.op)](_value(tree.operand, names))
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        left, right = _value(tree.left, names), _value(tree.comparators[0], names)
        return _OPERATORS[type(tree.ops[0])](left, right)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return _FUNCTIONS[tree.func.id](*(_value(a, names) for a in tree.args))
    raise ValueError(ast.dump(tree))


def _number(value: Any) -> float | int:
    if not isinstance(value, (int, float)):
        raise ValueError(value)
    return value


def selected(ratio: str, megapixels: float, multiple: int) -> tuple[int, int]:
    """Width and height of ResolutionSelector."""
    across, down = (float(part) for part in ratio.split(" ")[0].split(":"))
    scale = math.sqrt(megapixels * 1024 * 1024 / (across * down))
    return round(across * scale / multiple) * multiple, round(down * scale / multiple) * multiple
