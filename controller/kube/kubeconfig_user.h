// A user of a kubeconfig: who we are to the API server.
#pragma once

#include "controller/kube/credentials.h"
#include "controller/kube/kubeconfig_reader.h"

namespace jobrun {

// Fills in who we are; mistakes are the reader's.
void ReadKubeconfigUser(KubeconfigReader& reader, const KubeconfigSection& user,
                        Credentials& credentials);

}  // namespace jobrun
