"""Policies as files: read from YAML with the line of every mistake, written, described, and as templates."""

from services.scorer.policies.mistakes import Mistake, PolicyError
from services.scorer.policies.reading import read_policy, read_policy_file
from services.scorer.policies.schema import policy_schema
from services.scorer.policies.templates import NoSuchTemplateError, Template, started, template, templates
from services.scorer.policies.writing import write_policy

__all__ = [
    "Mistake",
    "NoSuchTemplateError",
    "PolicyError",
    "Template",
    "policy_schema",
    "read_policy",
    "read_policy_file",
    "started",
    "template",
    "templates",
    "write_policy",
]
