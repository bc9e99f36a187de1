"""People for the demo: enough for two rotations and a manager. Nobody real."""

from typing import Any, Final, NamedTuple

from services.alerter.core.playbooks import CUSTOMER_SERVICE, SENIOR_ADVISORS


class Person(NamedTuple):
    """A row of the table ``people``."""

    user_id: str
    name: str
    role: str  # advisor | manager
    team: str


DEMO_PEOPLE: Final = (
    Person("amara.okafor", "Amara Okafor", "advisor", SENIOR_ADVISORS),
    Person("jonas.lindqvist", "Jonas Lindqvist", "advisor", SENIOR_ADVISORS),
    Person("mei.tanaka", "Mei Tanaka", "advisor", SENIOR_ADVISORS),
    Person("diego.ferreira", "Diego Ferreira", "advisor", CUSTOMER_SERVICE),
    Person("leila.haddad", "Leila Haddad", "advisor", CUSTOMER_SERVICE),
    Person("wei.zhang", "Wei Zhang", "advisor", CUSTOMER_SERVICE),
    Person("ingrid.moreau", "Ingrid Moreau", "manager", SENIOR_ADVISORS),
)

_SEED: Final = """
INSERT INTO people (user_id, name, role, team)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (user_id) DO NOTHING"""


async def seed(connection: Any) -> None:
    """Add whoever of the demo's people is missing; those who are there stay as they are.

    Commits by itself unless ``connection`` (asyncpg) is in a transaction.
    """
    await connection.execute(_SEED, *(list(column) for column in zip(*DEMO_PEOPLE, strict=True)))
