"""Defines a run's identity in a cloud.

A short-lived token of the run's service account is exchanged for the cloud's own credentials.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from clustercontract.base import ApiModel, cel, with_rules

_ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$"
_PROVIDER = (
    r"^//iam[.]googleapis[.]com/projects/[0-9]{1,20}/locations/global/workloadIdentityPools/[a-z0-9-]{1,64}"
    r"/providers/[a-z0-9-]{1,64}$"
)
_ACCOUNT = r"^[a-z0-9-]{1,64}@[a-z0-9.-]{1,128}[.]gserviceaccount[.]com$"

NEEDS_CLOUD = "aws or gcp is required: set one of them, or both"
WRONG_ROLE = "is not the ARN of an IAM role: write it as arn:aws:iam::123456789012:role/NAME"
WRONG_PROVIDER = (
    "is not a provider of a workload identity pool: write it as //iam.googleapis.com/projects/NUMBER/locations/global/"
    "workloadIdentityPools/POOL/providers/PROVIDER"
)
WRONG_ACCOUNT = "is not a Google service account: write its e-mail address, NAME@PROJECT.iam.gserviceaccount.com"


def _matching(pattern: str, message: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


class AwsIdentity(ApiModel):
    """An IAM role that the run's service account may assume (AssumeRoleWithWebIdentity)."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(f"self.role_arn.matches('{_ROLE}')", f"role_arn {WRONG_ROLE}", field=".role_arn")
        )
    )

    role_arn: Annotated[str, Field(min_length=1, max_length=640), _matching(_ROLE, WRONG_ROLE)] = Field(
        description="ARN of the role, such as arn:aws:iam::123456789012:role/embeddings."
    )
    audience: Literal["sts.amazonaws.com", "sts.amazonaws.com.cn"] = Field(
        "sts.amazonaws.com", description="Audience of the token, as in the role's trust policy."
    )


class GcpIdentity(ApiModel):
    """A provider of a workload identity pool that trusts the cluster's tokens."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(f"self.audience.matches('{_PROVIDER}')", f"audience {WRONG_PROVIDER}", field=".audience"),
            cel(
                f"!has(self.service_account) || self.service_account.matches('{_ACCOUNT}')",
                f"service_account {WRONG_ACCOUNT}",
                field=".service_account",
            ),
        )
    )

    audience: Annotated[str, Field(min_length=1, max_length=300), _matching(_PROVIDER, WRONG_PROVIDER)] = Field(
        description="Full name of the provider: "
        "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER."
    )
    service_account: Annotated[str, Field(min_length=1, max_length=256), _matching(_ACCOUNT, WRONG_ACCOUNT)] | None = (
        Field(
            None,
            description="E-mail address of the Google service account to impersonate. If absent, the pool's own "
            "principal is used.",
        )
    )


class CloudIdentity(ApiModel):
    """How a run authenticates to S3 and Google Cloud Storage if no Secret is set."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel("has(self.aws) || has(self.gcp)", NEEDS_CLOUD, field=".aws", reason="FieldValueRequired")
        )
    )

    aws: AwsIdentity | None = Field(None, description="Identity for s3:// sources and results.")
    gcp: GcpIdentity | None = Field(None, description="Identity for gs:// sources.")

    @model_validator(mode="after")
    def _names_a_cloud(self) -> Self:
        if self.aws is None and self.gcp is None:
            raise ValueError(NEEDS_CLOUD)
        return self
