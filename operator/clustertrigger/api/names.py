"""Labels, annotations and other names that the cluster sees."""

from clustertrigger.api import GROUP

LABEL_TRIGGER_UID = f"{GROUP}/trigger-uid"
LABEL_TRIGGER = f"{GROUP}/trigger"
LABEL_ROLE = f"{GROUP}/role"
"""Of a Job and its Pods: ROLE_RUN or ROLE_CHECK."""
ROLE_RUN, ROLE_CHECK = "run", "check"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "clustertrigger"
ANNOTATION_SLOT = f"{GROUP}/slot"
ANNOTATION_FAILURE = f"{GROUP}/failure"
"""On a Job that the operator ended: why."""
ANNOTATION_COLLECTIONS = f"{GROUP}/collections"
"""On a Job: tells apart which collections it was made for."""
ANNOTATION_RUN_REQUESTED = f"{GROUP}/run-requested"
ANNOTATION_RESET_REQUESTED = f"{GROUP}/reset-requested"
WORKER_CONTAINER = "worker"
