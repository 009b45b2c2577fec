"""facecrafter: features of a face without the face."""
