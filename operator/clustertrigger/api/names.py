"""Defines the labels, annotations and other names that are visible in the cluster."""

from clustertrigger.api import GROUP

LABEL_TRIGGER_UID = f"{GROUP}/trigger-uid"
LABEL_TRIGGER = f"{GROUP}/trigger"
LABEL_ROLE = f"{GROUP}/role"
"""Label of a Job and its Pods; its value is ROLE_RUN or ROLE_CHECK."""
ROLE_RUN, ROLE_CHECK = "run", "check"
ROLE_EXECUTOR = "executor"
"""Value of LABEL_ROLE of the Pods that a run's driver creates. They have no Job."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "clustertrigger"
ANNOTATION_SLOT = f"{GROUP}/slot"
ANNOTATION_FAILURE = f"{GROUP}/failure"
"""Annotation of a Job that the operator ended; its value is the reason."""
ANNOTATION_COMPLETED = f"{GROUP}/completed"
"""Annotation of a Job that the operator ended after its worker had completed and the status had recorded it; its value
is the reason, such as a container that was still running. Such a run is never recorded again.
"""
ANNOTATION_COLLECTIONS = f"{GROUP}/collections"
"""Annotation of a Job; its value identifies the collections that the Job was created for."""
ANNOTATION_ACTION = f"{GROUP}/action"
"""Annotation of a Job; its value is the action_type of what the Job does. It is absent for cluster.

It is that of the trigger at the Job's creation, but collection_trigger where a batch_rerun runs such a batch again.
"""
ANNOTATION_RERUNS = f"{GROUP}/reruns"
"""Annotation of a Job; its value is the batch that the Job repeats."""
ANNOTATION_MODE = f"{GROUP}/mode"
"""Annotation of a Job; its value is the mode of a clustering at the Job's creation. It is absent for full."""
ANNOTATION_PROCESSES = f"{GROUP}/processes"
"""Annotation of a Job; its value lists the IDs of the collection that the Job processes, separated by commas."""
ANNOTATION_ANNOUNCES = f"{GROUP}/announces"
"""Annotation of a Job; its value lists the IDs of the collections whose event run_completed the run is, separated by
commas.
"""
ANNOTATION_CHAIN = f"{GROUP}/chain"
"""Annotation of a Job; its value lists the triggers whose runs led to this one, the first one first, separated by
commas.
"""
ANNOTATION_CONFIG = f"{GROUP}/action-config"
"""Annotation of a Job; its value is the action_config as JSON, if nothing else stores it for a rerun."""
ANNOTATION_OUTPUTS = f"{GROUP}/outputs"
"""Annotation of a Job; its value lists the IDs of the collections that the Job writes, separated by commas."""
ANNOTATION_QUEUE = f"{GROUP}/queue"
"""Annotation of a Job whose Pod creates executors; its value names a LocalQueue of Kueue.

The operator creates the Workload of such a Job, and the Job has no label of Kueue: Kueue would count only its own Pod.
"""
ANNOTATION_QUEUE_PRIORITY = f"{GROUP}/queue-priority-class"
"""Annotation of such a Job; its value names a WorkloadPriorityClass of Kueue."""
ANNOTATION_PLACEMENT = f"{GROUP}/executor-placement"
"""Annotation of the Pod of such a Job; its value is the ExecutorPlacement of its admission, as JSON."""
LABEL_RUNNABLE = f"{GROUP}/runnable"
"""Label of a PodTemplate; the value "true" lets triggers of its namespace run it."""
ANNOTATION_RUN_REQUESTED = f"{GROUP}/run-requested"
ANNOTATION_RESET_REQUESTED = f"{GROUP}/reset-requested"
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's label for the LocalQueue in which a Job waits."""
LABEL_QUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"
"""Kueue's label for the WorkloadPriorityClass of a Job."""
LABEL_JOB_UID = "kueue.x-k8s.io/job-uid"
"""Kueue's label of a Workload; its value is the uid of its Job."""
WORKER_CONTAINER = "worker"
COMMAND = "kubectl clustertrigger"
"""The command, as kubectl runs the plugin kubectl-clustertrigger."""
