import { literals } from '../../../engine/schema.js';
import { Kubernetes, Namespace, ObjectName } from '../../k8s/lib/inputs.js';
import { Aws } from '../../ec2/lib/inputs.js';
import { workloadKinds } from './workload.js';

export const where = {
  kubernetes: Kubernetes,
  aws: Aws,
  namespace: Namespace,
};
export const Workload = literals(workloadKinds, { description: 'What runs the pods' });
export const Name = ObjectName('Its name');
export const Claim = ObjectName("The PersistentVolumeClaim. A StatefulSet's are named <template>-<name>-<ordinal>; one is swapped at a time");
