"""The shapes that everything here is made of."""

from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "batch 3 height width"]  # RGB, 0 to 1
Features = Float[Tensor, "batch channels fheight fwidth"]  # what the device sends
Latents = Float[Tensor, "batch latent"]  # z, standard normal under the prior
Logits = Float[Tensor, "batch classes"]  # the cloud's answers, before the sigmoid or softmax
Embeddings = Float[Tensor, "batch embedding"]  # penultimate layer of the judge
Scores = Float[Tensor, "batch"]  # one number per image
Labels = Int[Tensor, "batch"]  # class numbers from 0
Order = Int[Tensor, "batch"]  # a permutation
