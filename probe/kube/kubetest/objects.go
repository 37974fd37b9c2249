package kubetest

import (
	"encoding/pem"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Deployment returns a deployment whose pods carry the label app.
func Deployment(space, name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name, Labels: map[string]string{"app": name}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		},
	}
}

// Pod returns a pod of a deployment's revision that runs and is ready since a time.
func Pod(space, deployment, revision, suffix, node string, since time.Time) *corev1.Pod {
	yes := true
	name := deployment + "-" + revision + "-" + suffix
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: space, Name: name, UID: types.UID("uid of " + name),
			Labels:          map[string]string{"app": deployment, "pod-template-hash": revision},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-" + revision, UID: "1", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: deployment, Image: "example/" + deployment}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.1.0.1", PodIPs: []corev1.PodIP{{IP: "10.1.0.1"}},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(since)}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: deployment, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}}},
		},
	}
}

// SetReady changes whether a pod takes requests.
func SetReady(p *corev1.Pod, ready bool, since time.Time, why string) {
	c := &p.Status.Conditions[0]
	c.Status, c.LastTransitionTime, c.Reason, c.Message = corev1.ConditionFalse, metav1.NewTime(since), "ContainersNotReady", why
	if ready {
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, "", ""
	}
	p.Status.ContainerStatuses[0].Ready = ready
}

// Restart ends a pod's container, and starts it again.
func Restart(p *corev1.Pod, code int32, reason string, at time.Time) {
	c := &p.Status.ContainerStatuses[0]
	c.RestartCount++
	c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, FinishedAt: metav1.NewTime(at), ContainerID: "containerd://" + p.Name + at.String(),
	}
	c.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}
}

// Event returns what the kubelet says of a pod.
func Event(p *corev1.Pod, reason, message string, count int32, at time.Time) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name + "." + reason, UID: types.UID(p.Name + reason)},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID, FieldPath: "spec.containers{" + p.Spec.Containers[0].Name + "}"},
		Reason:         reason, Message: message, Count: count, LastTimestamp: metav1.NewTime(at), Type: corev1.EventTypeWarning,
	}
}
