// SPDX-License-Identifier: MIT
// The plugin kdhost.transforms: everything in this folder. Step 4 in the life of a batch: a batch is changed on its
// device.
#include "cutmix.hpp"
#include "cutout.hpp"
#include "kept_view.hpp"
#include "mixup.hpp"
#include "normalize.hpp"
#include "random_crop.hpp"
#include "random_flip.hpp"
#include "rotations.hpp"
#include "shift.hpp"
#include "thumbnail.hpp"

using namespace kdhost::plugins;

KDHOST_PLUGIN("kdhost.transforms", "1.0.0", Normalize, RandomCrop, RandomFlip, Shift, Cutout, Mixup, Cutmix, KeptView,
              Rotations, Thumbnail)
