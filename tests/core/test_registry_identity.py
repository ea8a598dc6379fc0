"""Is this the registry whose ids are in the records?"""

from streams.core.registry_identity import UsedSchema, identity_problem, other_meaning

USED = (UsedSchema(1, "a-value", "schema A"), UsedSchema(7, "b-value", "schema B"))


def test_the_registry_that_was_used_is_right() -> None:
    assert identity_problem(USED, {1: "schema A", 7: "schema B"}, "r:1") is None
    assert identity_problem((), {}, "r:1") is None


def test_another_registry_is_named_with_the_id_that_differs() -> None:
    found = {1: "schema A", 7: "schema C"}
    problem = identity_problem(USED, found, "http://r:1")
    assert problem is not None
    assert "http://r:1 is another one" in problem
    assert "schema 7 is not that of b-value" in problem
    assert "SCHEMA_REGISTRY_URL" in problem
    assert other_meaning(USED, found) == USED[1]


def test_a_registry_that_came_back_empty_is_named_with_the_command_that_helps() -> None:
    problem = identity_problem(USED, {1: None, 7: None}, "http://r:1")
    assert problem is not None
    assert "lacks 2 schemas" in problem
    assert "ids 1, 7" in problem
    assert "make schemas-register" in problem
    assert other_meaning(USED, {1: None, 7: None}) is None


def test_of_many_missing_ids_the_first_are_shown() -> None:
    many = [UsedSchema(number, "a-value", "schema A") for number in range(1, 40)]
    problem = identity_problem(many, dict.fromkeys(range(1, 40)), "r")
    assert problem is not None
    assert "(ids 1, 2, 3, 4, 5 …)" in problem
