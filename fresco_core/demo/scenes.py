"""The scene grammar: what a prompt of the demo model can say.

prompt = [ object { "," object } ] [ [ "," ] "on" ground ]
object = [ article ] [ size ] name [ place ]              "a big red apple top left"
ground = [ article ] ( colour [ kind ] | kind colour )    "green checks", "plain blue", "a grey gradient"

What is not said has a value all the same. An open vocabulary leaves it open, lets a family stand for a name
("a fruit left"), "thing" for any, and says more:

object = ( article | number ) [ size ] name or names [ place ]      "three fruits", "two big things"
prompt = "only" prompt, or number "things" [ ":" prompt ]           how many objects there are in all
ground = [ article ] [ colour ] [ kind ]                            "stripes", "blue"
"""

from .parsing import SceneError, parse
from .random_scenes import draw_scene
from .scene import NOTHING, Item, Scene, scene_ids, scenes_of, slots_of
from .vocabulary import SHIPPED_WORDS

MAX_OBJECTS, PROMPT_TOKENS, ID_COLUMNS = SHIPPED_WORDS.slots, SHIPPED_WORDS.tokens, SHIPPED_WORDS.columns
"""Of the vocabulary of the weights in the tree; `Vocabulary` has them for any other."""

__all__ = [
    "ID_COLUMNS",
    "MAX_OBJECTS",
    "NOTHING",
    "PROMPT_TOKENS",
    "Item",
    "Scene",
    "SceneError",
    "draw_scene",
    "parse",
    "scene_ids",
    "scenes_of",
    "slots_of",
]
